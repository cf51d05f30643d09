// A button that copies a text to the clipboard.
import { html, useState } from "../preact.js";
import { t } from "../words.js";

/** @param {{text: string, what: string}} props what: the name of the text, for those who hear the page */
export function CopyButton({ text, what }) {
  const [said, setSaid] = useState("");
  const act = () => copy(text).then(
    () => setSaid(t("parts.copied")),
    () => setSaid(t("parts.not_copied")),
  );
  return html`<span class="copy"><button type="button" class="secondary small" aria-label=${t("parts.copy_what", { what })}
    onClick=${act}>${t("parts.copy")}</button> <span role="status" class="small muted">${said}</span></span>`;
}

/** A page that came by plain HTTP from another machine has no clipboard of its own. @param {string} text */
async function copy(text) {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement("textarea");
  field.value = text;
  document.body.append(field);
  field.select();
  const isDone = document.execCommand("copy");
  field.remove();
  if (!isDone) throw new Error("the browser refused to copy");
}
