// What the colours of a drawing mean.
import { html } from "../preact.js";

/** @param {{title: string, entries: {label: string, color: string, note?: string}[]}} props color: as CSS. note: stands behind the label */
export const Legend = ({ title, entries }) => html`
  <ul class="legend small" aria-label=${title}>${entries.map(({ label, color, note }) => html`
    <li key=${label}><span class="swatch" style=${{ backgroundColor: color }}></span><bdi>${label}</bdi>
      ${note && html`<span class="muted">${note}</span>`}</li>`)}</ul>`;
