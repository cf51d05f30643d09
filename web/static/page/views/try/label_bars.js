// The labels of a picture with their calibrated probabilities, the likeliest first.
import { html, useState } from "../../preact.js";
import { percent, t } from "../../words.js";

const FIRST_SHOWN = 5;

/** @param {{prediction: import("./pictures.js").Prediction}} props */
export function LabelBars({ prediction }) {
  const [isAll, setIsAll] = useState(false);
  const sorted = [...(prediction.labels ?? [])].sort((one, other) => other.probability - one.probability);
  const shown = isAll ? sorted : sorted.slice(0, FIRST_SHOWN);
  return html`
    <p class="verdict">${prediction.unknown
      ? html`<b>${t("try.unknown")}</b> <span class="muted">${t("try.unknown_why", { label: prediction.label ?? "" })}</span>`
      : html`<b>${prediction.label}</b>`}</p>
    <ul class="bars plain">${shown.map(({ label, probability }) => html`
      <li key=${label}><span class="label">${label}</span>
        <progress max="1" value=${probability} aria-label=${label}></progress>
        <span class="figure">${percent(probability, probability < 0.1 ? 1 : 0)}</span></li>`)}</ul>
    ${sorted.length > FIRST_SHOWN && html`<button type="button" class="plain small" aria-expanded=${isAll ? "true" : "false"}
      onClick=${() => setIsAll(!isAll)}>${isAll ? t("try.fewer") : t("try.all_labels", { count: sorted.length })}</button>`}`;
}
