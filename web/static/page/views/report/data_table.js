// A table that scrolls inside its own box. Its rows are the children.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{title: string, heads: string[], children: unknown}} props heads: of the columns */
export const DataTable = ({ title, heads, children }) => html`
  <div class="wide" tabindex="0" role="region" aria-label=${t("parts.table_of", { title })}><table class="data">
    <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
    <tbody>${children}</tbody></table></div>`;
