// The view of try a model on pictures.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Try({ route }) {
  return html`<h1>${t("try.title")}</h1><p>${route.path.join("/")}</p>`;
}
