// One picture and what the model says of it.
import { html, useState } from "../../preact.js";
import { t } from "../../words.js";
import { LabelBars } from "./label_bars.js";
import { MaskOverlay } from "./mask_overlay.js";

/** @param {{tried: import("./pictures.js").Tried}} props */
export function Answer({ tried }) {
  const { name, url, prediction, trouble } = tried;
  return html`
    <article class="card answer">
      ${prediction?.mask ? html`<${MaskOverlay} url=${url} name=${name} prediction=${prediction} />`
        : html`<${Picture} url=${url} name=${name} />`}
      <div>
        <p class="muted small">${name}</p>
        ${trouble ? html`<p class="bad" role="alert">${trouble.message}</p>`
          : !prediction ? html`<p aria-busy="true">${t("try.asking")}</p>`
          : prediction.labels && html`<${LabelBars} prediction=${prediction} />`}
      </div>
    </article>`;
}

/** A browser cannot show every kind of picture that the server reads. @param {{url: string, name: string}} props */
function Picture({ url, name }) {
  const [isMissing, setIsMissing] = useState(false);
  return isMissing ? html`<p class="missing muted">${t("parts.no_photo", { name })}</p>`
    : html`<img src=${url} alt=${name} onError=${() => setIsMissing(true)} />`;
}
