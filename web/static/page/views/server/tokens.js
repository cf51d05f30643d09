// Who may call this server. Only hashes are stored, so a token itself is never shown.
import { useLoaded } from "../../loading.js";
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
        : html`<div class="wide" tabindex="0" role="group" aria-labelledby="tokens"><table>
            <thead><tr><th scope="col">${t("server.name")}</th><th scope="col">${t("server.user")}</th>
              <th scope="col">${t("server.may")}</th><th scope="col">${t("server.made")}</th></tr></thead>
            <tbody>${list.tokens.map((token) => html`<tr><th scope="row">${token.name}</th>
              <td>${token.userId || t("server.all_users")}</td>
              <td>${token.readOnly ? t("server.read") : t("server.write")}</td><td>${time(token.createdAt)}</td></tr>`)}
            </tbody></table></div>`}
      <//>
    </section>`;
}
