// The view of what happens: workers, the queue, and tasks.
import { useEvents } from "../../events.js";
import { useLoaded } from "../../loading.js";
import { html } from "../../preact.js";
import { useThrottled } from "../../throttle.js";
import { t } from "../../words.js";
import { Queue } from "./queue.js";
import { Tasks } from "./tasks.js";
import { Workers } from "./workers.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** The lists are read again at most this often. */
const RELOAD_MS = 1000;
const QUEUE_SHOWN = 5;
/** No event tells that a worker drains, that an idle one is gone, that an estimate has changed or the broker is away. */
const REREAD_ANYWAY_MS = 10_000;
/** The parts of the address that are the query of /v1/tasks. */
const FILTERS = ["search", "userId", "projectId", "state", "sort", "cursor"];

/** @param {{route: import("../../router.js").Route}} props */
export function Now({ route }) {
  /** @type {Record<string, string>} */
  const query = Object.fromEntries(FILTERS.map((name) => [name, route.query[name] ?? ""]));
  /** @type {import("../../loading.js").Loaded<Schemas["WorkerList"]>} */
  const workers = useLoaded("v1/workers", {}, { everyMs: REREAD_ANYWAY_MS });
  /** @type {import("../../loading.js").Loaded<Schemas["QueueView"]>} */
  const queue = useLoaded("v1/queue", { limit: QUEUE_SHOWN }, { everyMs: REREAD_ANYWAY_MS });
  /** @type {import("../../loading.js").Loaded<Schemas["TaskList"]>} */
  const tasks = useLoaded("v1/tasks", query, { keeps: true });
  const reloadSoon = useThrottled(() => {
    workers.reload();
    queue.reload();
    tasks.reload();
  }, RELOAD_MS);
  useEvents((event) => {
    if (event.type === "task.progress") tasks.change((list) => withProgress(list, event));
    else reloadSoon();
  });
  return html`
    <h1>${t("now.title")}</h1>
    <div class="now-top">
      <${Workers} workers=${workers} tasks=${tasks.data?.tasks ?? []} />
      <${Queue} queue=${queue} />
    </div>
    <${Tasks} tasks=${tasks} query=${query} />`;
}

/**
 * The list after a progress of a task; the same list if it has none of the task, or not of this attempt, or a later one.
 *
 * @param {Schemas["TaskList"]} list
 * @param {import("../../events.js").TaskEvent} event
 */
function withProgress(list, event) {
  const row = list.tasks.findIndex((task) => task.taskId === event.taskId);
  if (row < 0) return list;
  const task = list.tasks[row];
  if (task.state !== "processing" || event.attempt !== task.attempt || (event.progress ?? 0) < task.progress) return list;
  const changed = {
    ...task, progress: event.progress, phase: event.phase ?? task.phase, attempt: event.attempt,
    etaRangeSeconds: event.etaRangeSeconds ?? task.etaRangeSeconds,
  };
  return { ...list, tasks: list.tasks.with(row, changed) };
}
