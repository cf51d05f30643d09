// The view of start a training.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Start({ route }) {
  return html`<h1>${t("start.title")}</h1><p>${route.path.join("/")}</p>`;
}
