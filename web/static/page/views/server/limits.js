// What the settings of the server allow.
import { html } from "../../preact.js";
import { bytes, named, number, t } from "../../words.js";

/** @param {{limits: import("../../api.js").Schemas["Limits"]}} props */
export const Limits = ({ limits }) => html`
  <section aria-labelledby="limits"><h2 id="limits">${t("server.limits")}</h2>
    <p class="muted">${t("server.limits_where")}</p>
    <dl class="facts">${all(limits).map(([name, value]) => html`
      <div><dt>${named("limit", name)}</dt><dd>${shown(name, value)}</dd></div>`)}
    </dl></section>`;

/** The limits one after the other, with those of uploads. Pure.
 * @param {import("../../api.js").Schemas["Limits"]} limits @returns {[string, number | boolean][]} */
function all({ uploads, ...limits }) {
  const { enabled, ...ofUploads } = uploads;
  return [...Object.entries(limits), ["uploads", enabled], ...(enabled ? Object.entries(ofUploads) : [])];
}

/** @param {string} name @param {number | boolean} value */
function shown(name, value) {
  if (typeof value === "boolean") return t(value ? "server.yes" : "server.no");
  if (name.endsWith("Bytes")) return bytes(value);
  if (name === "maxRunningPerUser" && value === 0) return t("server.any_number");
  return number(value);
}
