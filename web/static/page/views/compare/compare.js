// The view of two or more tasks side by side.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Compare({ route }) {
  return html`<h1>${t("compare.title")}</h1><p>${route.path.join("/")}</p>`;
}
