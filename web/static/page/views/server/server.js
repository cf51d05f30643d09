// The view of the server: is it well, what it allows, its disks, webhooks and tokens.
import { SERVER } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Shown } from "../../parts/states.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { html } from "../../preact.js";
import { ago, fullTime, named, t } from "../../words.js";
import { Disks } from "./disks.js";
import { Limits } from "./limits.js";
import { Pools } from "./pools.js";
import { Tokens } from "./tokens.js";
import { Webhooks } from "./webhooks.js";

await styleSheet("server");

/** No event tells how the server is. */
const REREAD_MS = 10_000;

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {import("../../loading.js").Loaded<Schemas["ServerView"]>} LoadedServer */

export function Server() {
  /** @type {LoadedServer} */
  const server = useLoaded("v1/server", {}, { everyMs: REREAD_MS });
  // Parts whose number of elements changes have an element of their own: Preact would put them after their neighbours.
  return html`
    <h1>${t("server.title")}</h1>
    <div role="status"><${Health} /></div>
    <div><${Shown} of=${server}>${(/** @type {Schemas["ServerView"]} */ view) => html`
      <${Versions} server=${view} />
      <${Disks} disks=${view.disks} />
      <${Limits} limits=${view.limits} />`}
    <//></div>
    <div><${Pools} /></div>
    <${Webhooks} />
    <${Tokens} />
    <section aria-labelledby="documents"><h2 id="documents">${t("server.documents")}</h2>
      <ul>
        <li><a href=${new URL("docs", SERVER).href}>${t("server.docs")}</a></li>
        <li><a href=${new URL("docs/errors", SERVER).href}>${t("server.error_docs")}</a></li>
        <li><a href=${new URL("openapi.json", SERVER).href}>${t("server.openapi")}</a></li>
        <li><a href=${new URL("metrics", SERVER).href}>${t("server.metrics")}</a></li>
      </ul></section>`;
}

/** Whether a task could be trained now. The answer of /readyz is 503 if not, and says what is missing. */
function Health() {
  /** @type {import("../../loading.js").Loaded<Schemas["Readiness"]>} */
  const ready = useLoaded("readyz", {}, { everyMs: REREAD_MS });
  const { data, trouble } = ready;
  if (trouble && "status" in trouble && trouble.status === 503) {
    return html`<div class="state away"><p>${trouble.message}</p></div>`;
  }
  return html`<${Shown} of=${ready}>${() => html`<p class="well">${data && t("server.ready")}</p>`}<//>`;
}

/** @param {{server: Schemas["ServerView"]}} props */
const Versions = ({ server }) => html`
  <section aria-labelledby="versions"><h2 id="versions">${t("server.versions")}</h2>
    <dl class="facts">
      <div><dt>TFModel</dt><dd>${server.version}</dd></div>
      ${Object.entries(server.versions).map(([name, version]) => html`
        <div><dt>${named("package", name)}</dt><dd>${version}</dd></div>`)}
      <div><dt>${t("server.started")}</dt><dd title=${fullTime(server.startedAt)}>${ago(server.startedAt)}</dd></div>
    </dl></section>`;
