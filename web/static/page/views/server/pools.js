// The pools of the cluster: how many workers each has, and why.
import { useLoaded } from "../../loading.js";
import { html } from "../../preact.js";
import { ago, fullTime, named, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** Without a cluster there is nothing to show. The workers' own view says it if they cannot be loaded. */
export function Pools() {
  /** @type {import("../../loading.js").Loaded<Schemas["WorkerList"]>} */
  const { data } = useLoaded("v1/workers");
  if (!data || data.pools.length === 0) return null;
  return html`
    <section aria-labelledby="pools"><h2 id="pools">${t("server.pools")}</h2>
      <div class="wide" role="group" tabindex="0" aria-labelledby="pools"><table>
        <thead><tr><th scope="col">${t("server.pool")}</th>${COUNTS.map((count) => html`
          <th scope="col" class="number">${named("pool", count)}</th>`)}
          <th scope="col" class="number">${t("server.pool_range")}</th>
          <th scope="col">${t("server.pool_reason")}</th></tr></thead>
        <tbody>${data.pools.map((pool) => html`<${Pool} key=${pool.name} pool=${pool} />`)}</tbody>
      </table></div></section>`;
}

const COUNTS = /** @type {const} */ (["wanted", "starting", "running", "draining"]);

/** @param {{pool: Schemas["PoolView"]}} props */
const Pool = ({ pool }) => html`
  <tr><th scope="row">${pool.name}</th>${COUNTS.map((count) => html`<td class="number">${pool[count]}</td>`)}
    <td class="number">${pool.minWorkers}–${pool.maxWorkers}</td>
    <td>${pool.reason}${pool.decidedAt && html` <span class="muted small" title=${fullTime(pool.decidedAt)}>
      ${ago(pool.decidedAt)}</span>`}</td></tr>`;
