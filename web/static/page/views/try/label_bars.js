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
        <span class="figure">${inPercent(probability)}</span></li>`)}</ul>
    ${sorted.length > FIRST_SHOWN && html`<button type="button" class="plain small" aria-expanded=${isAll ? "true" : "false"}
      onClick=${() => setIsAll(!isAll)}>${isAll ? t("try.fewer") : t("try.all_labels", { count: sorted.length })}</button>`}`;
}

/** "100%" beside "0.4%" would not add up, so only 0 and 1 themselves are written as 0% and 100%.
 * @param {number} probability */
export function inPercent(probability) {
  if (probability > 0 && probability < 0.0005) return `< ${percent(0.001, 1)}`;
  if (probability < 1 && probability >= 0.9995) return `> ${percent(0.999, 1)}`;
  return percent(probability, probability > 0 && probability < 0.1 || probability > 0.9 && probability < 1 ? 1 : 0);
}
