// The start of the page.
import { Frame } from "./frame.js";
import { html, render } from "./preact.js";
import { loadWords } from "./words.js";

await loadWords();
render(html`<${Frame} />`, document.body);
