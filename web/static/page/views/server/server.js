// The view of the server: health, versions, limits.
import { html } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{route: import("../../router.js").Route}} props */
export function Server({ route }) {
  return html`<h1>${t("server.title")}</h1><p>${route.path.join("/")}</p>`;
}
