// The workers: where they run, and what each of them does.
import { Bar } from "../../parts/bar.js";
import { Empty, Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { ago, bytes, duration, named, shortId, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** A worker that was not heard of for this long is worth a word. */
const SILENT_MS = 10_000;
/** So is a clock that is off by more than this. */
const MOST_SKEW_S = 5;

/**
 * @param {{workers: import("../../loading.js").Loaded<Schemas["WorkerList"]>, tasks: Schemas["TaskSummary"][]}} props
 */
export const Workers = ({ workers, tasks }) => html`
  <section aria-labelledby="workers">
    <h2 id="workers">${t("now.workers")}</h2>
    <${Shown} of=${workers}>${(/** @type {Schemas["WorkerList"]} */ list) => list.workers.length === 0
      ? html`<${Empty}><p>${t(hasPools(list) ? "now.pools_start_workers" : "now.no_workers")}</p><//>`
      : html`<ul class="cards plain">${list.workers.map((worker) => html`
          <${Worker} key=${worker.name} worker=${worker}
            task=${tasks.find((task) => task.taskId === (worker.taskId || worker.helping))} />`)}</ul>`}
    <//>
  </section>`;

/** Whether the cluster starts workers by itself. @param {Schemas["WorkerList"]} list */
const hasPools = (list) => list.pools.some((pool) => pool.maxWorkers > 0);

/** @param {{worker: Schemas["WorkerView"], task: Schemas["TaskSummary"] | undefined}} props */
function Worker({ worker, task }) {
  const isSilent = worker.lastHeardAt && Date.now() - Date.parse(worker.lastHeardAt) > SILENT_MS;
  const facts = [
    worker.host, worker.devices.join(", "), worker.memoryMb ? t("now.memory", { size: bytes(worker.memoryMb * 2 ** 20) }) : "",
    Object.entries(worker.labels).map(([name, value]) => `${name}=${value}`).join(", "),
    t("now.tasks_done", { count: worker.tasksDone }), isSilent ? t("now.heard", { ago: ago(worker.lastHeardAt ?? "") }) : "",
  ];
  return html`
    <li class="card">
      <p class="row"><b>${worker.name}</b><span class=${`tag ${worker.state === "training" ? "processing" : ""}`}>
        ${named("worker", worker.state)}</span></p>
      <p class="muted small">${facts.filter(Boolean).join(" · ")}</p>
      ${Math.abs(worker.clockSkewSeconds) > MOST_SKEW_S
        && html`<p class="small">${t("now.clock_off", { duration: duration(Math.abs(worker.clockSkewSeconds)) })}</p>`}
      <${WorkOf} worker=${worker} task=${task} />
    </li>`;
}

/** @param {{worker: Schemas["WorkerView"], task: Schemas["TaskSummary"] | undefined}} props */
function WorkOf({ worker, task }) {
  const taskId = worker.taskId || worker.helping;
  if (!taskId) return worker.state === "training" ? html`<p class="small">${t("now.of_another")}</p>` : null;
  const name = task?.projectId ?? shortId(taskId);
  const words = t(worker.taskId ? "now.working_on" : "now.helping_with", { task: name });
  return html`
    <p class="small"><a href=${link(["tasks", taskId])}>${words}</a></p>
    ${task && worker.taskId && html`<${Bar} progress=${task.progress} />`}`;
}
