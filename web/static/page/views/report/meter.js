// A share as a bar with its range, and in figures.
import { html } from "../../preact.js";
import { t } from "../../words.js";
import { share, shareRange } from "../../shares.js";

/** The bar alone. @param {{value: number, low?: number | null, high?: number | null}} props */
export const Track = ({ value, low = null, high = null }) => html`
  <span class="track" aria-hidden="true">
    <span class="fill" style=${{ width: `${100 * value}%` }}></span>
    ${low !== null && high !== null && html`
      <span class="likely" style=${{ left: `${100 * low}%`, width: `${100 * (high - low)}%` }}></span>`}
  </span>`;

/** @param {{value: number, low?: number | null, high?: number | null, pictures?: number}} props */
export function Meter({ value, low = null, high = null, pictures = 0 }) {
  const range = shareRange(low, high);
  return html`
    <span class="meter">
      <${Track} ...${{ value, low, high }} />
      <span class="figure">${share(value, pictures)}</span>
      ${range && html`<span class="muted">${t("report.likely", { range })}</span>`}
    </span>`;
}
