// The start of the page.
import { Frame } from "./frame.js";
import { html, render } from "./preact.js";
import { readSession } from "./session.js";
import { loadWords } from "./words.js";

await loadWords();
render(html`<${Frame} />`, document.body);
// Without an answer the frame says that the server is out of touch, and asks again.
readSession().catch(() => {});
