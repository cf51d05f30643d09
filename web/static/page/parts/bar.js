// How far a task is.
import { html } from "../preact.js";
import { percent, t } from "../words.js";

/** @param {{progress: number, label?: string}} props progress: percent of the task, 0 to 100 */
export const Bar = ({ progress, label = t("parts.progress") }) => html`
  <span class="bar"><progress max="100" value=${progress} aria-label=${label}></progress>
    <span class="figure">${percent(Math.floor(progress) / 100)}</span></span>`;
