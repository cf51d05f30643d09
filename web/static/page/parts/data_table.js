// A table that scrolls inside its own box. Its rows are the children.
import { html } from "../preact.js";
import { t } from "../words.js";

/**
 * @param {{title: string, heads: unknown[], children: unknown, name?: string, isBusy?: boolean}} props
 *   title: for those who hear the page. heads: of the columns. name: the class of the table, for its look.
 *   isBusy: newer rows are being read
 */
export const DataTable = ({ title, heads, children, name = "", isBusy = false }) => html`
  <div class="wide" tabindex="0" role="region" aria-label=${t("parts.table_of", { title })} aria-busy=${isBusy}>
    <table class=${name}>
      <thead><tr>${heads.map((head) => html`<th scope="col">${head}</th>`)}</tr></thead>
      <tbody>${children}</tbody>
    </table></div>`;
