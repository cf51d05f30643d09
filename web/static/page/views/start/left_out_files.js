// What was dropped and will not be uploaded, and what the person should know about the folders.
import { html } from "../../preact.js";
import { t } from "../../words.js";

const SHOWN = 50;
/** @type {Record<string, import("../../words.js").Message>} */
const WHY = {
  no_picture: "start.why_no_picture",
  in_no_class: "start.why_in_no_class",
  too_large: "start.why_too_large",
};

/** @param {{collected: import("./collection.js").Collection}} props */
export const LeftOutFiles = ({ collected: { leftOut, parts, masks } }) => html`
  <div role="status">
    ${parts.length > 0 && html`<p class="state stale">${t("start.parts_joined", { names: parts.join(", ") })}</p>`}
    ${masks.length > 0 && html`<p class="state stale">${t("start.masks_dropped", { names: masks.join(", ") })}</p>`}
    ${leftOut.length > 0 && html`<details class="state stale"><summary>${t("start.left_out", { count: leftOut.length })}</summary>
      <ul>${leftOut.slice(0, SHOWN).map(({ name, why }) => html`<li><bdi>${name}</bdi>: ${t(WHY[why])}</li>`)}</ul>
      ${leftOut.length > SHOWN && html`<p>${t("start.and_more", { count: leftOut.length - SHOWN })}</p>`}
    </details>`}
  </div>`;
