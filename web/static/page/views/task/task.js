// The view of one task.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Task({ route }) {
  return html`<h1>${t("task.title")}</h1><p>${route.path.join("/")}</p>`;
}
