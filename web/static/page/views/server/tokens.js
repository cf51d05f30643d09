// Who may call this server. Only hashes are stored, so a token itself is never shown.
import { useLoaded } from "../../loading.js";
import { DataTable } from "../../parts/data_table.js";
import { Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { t, time } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

export function Tokens() {
  /** @type {import("../../loading.js").Loaded<Schemas["TokenList"]>} */
  const tokens = useLoaded("v1/tokens");
  return html`
    <section aria-labelledby="tokens"><h2 id="tokens">${t("server.tokens")}</h2>
      <${Shown} of=${tokens}>${(/** @type {Schemas["TokenList"]} */ list) => list.tokens.length === 0
        ? html`<p class="muted">${t("server.no_tokens")}</p>`
        : html`<${DataTable} title=${t("server.tokens")}
            heads=${[t("server.name"), t("server.user"), t("server.may"), t("server.made")]}>
            ${list.tokens.map((token) => html`<tr key=${token.name}><th scope="row">${token.name}</th>
              <td>${token.userId || t("server.all_users")}</td>
              <td>${token.readOnly ? t("server.read") : t("server.write")}</td><td>${time(token.createdAt)}</td></tr>`)}<//>`}
      <//>
    </section>`;
}
