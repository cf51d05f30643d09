// The view of fix labels.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Labels({ route }) {
  return html`<h1>${t("labels.title")}</h1><p>${route.path.join("/")}</p>`;
}
