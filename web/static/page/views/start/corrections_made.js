// What a person has said of single pictures, and buttons that take it back.
import { Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";
import { t } from "../../words.js";

const SHOWN = 100;

/** @typedef {import("./use_corrections.js").Change} Change */

/** @param {Change} change */
function inWords({ action, label }) {
  if (action === "none") return t("start.taken_back");
  if (action === "label") return t("start.moved_to", { label: label ?? "" });
  return t(action === "exclude" ? "start.excluded" : "start.kept");
}

/** @param {{corrections: import("./use_corrections.js").Corrections}} props */
export function CorrectionsMade({ corrections }) {
  const { made, last, trouble, isBusy, apply, undo } = corrections;
  const none = (/** @type {string} */ picture) => ({ picture, action: /** @type {const} */ ("none") });
  return html`
    ${trouble && html`<${Trouble} error=${trouble} />`}
    <div role="status">${last && html`<p class="state good">
      ${t("start.said", { count: last.changes.length, what: inWords(last.changes[0]) })}
      ${" "}<button type="button" class="plain" disabled=${isBusy} onClick=${undo}>${t("start.undo")}</button></p>`}</div>
    ${made.length > 0 && html`<details class="corrections"><summary>${t("start.corrections", { count: made.length })}</summary>
      <p class="muted small">${t("start.corrections_are")}</p>
      <ul>${made.slice(-SHOWN).reverse().map((each) => html`<li key=${each.picture}><bdi>${each.picture}</bdi>: ${inWords(each)}
        ${" "}<button type="button" class="plain small" disabled=${isBusy} onClick=${() => apply([none(each.picture)])}
          aria-label=${t("start.take_back_of", { name: each.picture })}>${t("start.take_back")}</button></li>`)}</ul>
      ${made.length > SHOWN && html`<p class="small muted">${t("start.and_more", { count: made.length - SHOWN })}</p>`}
      <p><button type="button" class="secondary small" disabled=${isBusy} onClick=${() => apply(made.map(({ picture }) => none(picture)))}>
        ${t("start.take_all_back")}</button></p></details>`}`;
}
