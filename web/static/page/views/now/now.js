// The view of what happens: workers, queue and tasks.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Now({ route }) {
  return html`<h1>${t("now.title")}</h1><p>${route.path.join("/")}</p>`;
}
