// Who is told of events, and how that goes.
import { post } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Ask } from "../../parts/ask.js";
import { DataTable } from "../../parts/data_table.js";
import { Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { useMayWrite } from "../../session.js";
import { ago, duration, t, time } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {Schemas["WebhookOverview"]} Overview */

export function Webhooks() {
  /** @type {import("../../loading.js").Loaded<Overview>} */
  const webhooks = useLoaded("v1/webhooks");
  return html`
    <section aria-labelledby="webhooks"><h2 id="webhooks">${t("server.webhooks")}</h2>
      <${Shown} of=${webhooks}>${(/** @type {Overview} */ view) => view.destinations.length === 0
        ? html`<p class="muted">${t("server.no_webhooks")}</p>`
        : html`
          <div class="cards">${view.destinations.map((destination) => html`<${Destination} of=${destination} />`)}</div>
          ${view.deadLetters.length > 0 && html`<${DeadLetters} letters=${view.deadLetters} reload=${webhooks.reload} />`}
          <${Attempts} attempts=${view.attempts} />`}
      <//>
    </section>`;
}

/** @param {{of: Overview["destinations"][number]}} props */
function Destination({ of }) {
  const words = [
    t("server.hooks_waiting", { count: of.waiting }), t("server.hooks_dead", { count: of.dead }),
    of.lastSuccessAt ? t("server.arrived", { ago: ago(of.lastSuccessAt) }) : t("server.never_arrived"),
  ];
  return html`
    <div class="card"><p><b>${of.name}</b> <span class="muted">${of.origin}</span></p>
      <p class="small muted">${words.join(" · ")}</p>
      ${of.lastError && html`<p class="small bad">${of.lastFailureAt && `${time(of.lastFailureAt)}: `}${of.lastError}</p>`}
    </div>`;
}

/** @param {{attempts: Overview["attempts"]}} props */
const Attempts = ({ attempts }) => html`
  <h3>${t("server.attempts")}</h3>
  <${DataTable} title=${t("server.attempts")}
    heads=${[t("server.at"), t("server.to"), t("server.event"), t("server.answer"), t("server.took")]}>
    ${attempts.map((attempt) => html`<tr><td>${time(attempt.at)}</td><td>${attempt.destination}</td>
      <td>${attempt.eventType}</td><td class=${attempt.error ? "bad" : ""}>${attempt.error || attempt.status}</td>
      <td>${duration(attempt.tookSeconds)}</td></tr>`)}<//>`;

/** @param {{letters: Overview["deadLetters"], reload: () => void}} props */
function DeadLetters({ letters, reload }) {
  const mayWrite = useMayWrite();
  return html`
    <h3>${t("server.dead_letters")}</h3>
    <ul class="plain">${letters.map((letter) => html`<li class="row">
      <span>${letter.eventType} → ${letter.destination}</span><span class="small bad">${letter.error}</span>
      ${mayWrite && html`<${Ask} label=${t("server.resend")} title=${t("server.resend_question")}
        consequence=${t("server.resend_consequence", { destination: letter.destination })}
        act=${async () => { await post(`v1/webhooks/dead-letters/${letter.id}/resend`); reload(); }} />`}</li>`)}
    </ul>`;
}
