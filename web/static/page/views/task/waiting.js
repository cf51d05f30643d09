// What a waiting task waits for: its place in the queue, and when it starts.
import { useEvents } from "../../events.js";
import { useLoaded } from "../../loading.js";
import { html } from "../../preact.js";
import { useThrottled } from "../../throttle.js";
import { durationRange, estimate, number, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas["QueueView"]} QueueView */
/** @typedef {import("../../api.js").Schemas["WorkerList"]} WorkerList */

/** The part of the queue that is looked at. A place behind it is told as "more than". */
const MOST_PLACES = 200;
/** The queue moves when any task comes or goes, which may happen many times a second. */
const REREAD_MS = 2000;
/** Without events the estimates change as well. */
const REREAD_ANYWAY_MS = 15_000;

/** @param {{task: import("./use_task.js").TaskView}} props */
export function Waiting({ task }) {
  const queue = /** @type {import("../../loading.js").Loaded<QueueView>} */ (
    useLoaded("v1/queue", { limit: MOST_PLACES }, { everyMs: REREAD_ANYWAY_MS }));
  const workers = /** @type {import("../../loading.js").Loaded<WorkerList>} */ (
    useLoaded("v1/workers", {}, { everyMs: REREAD_ANYWAY_MS }));
  const reload = () => {
    queue.reload();
    workers.reload();
  };
  const reloadSoon = useThrottled(reload, REREAD_MS);
  useEvents((event) => {
    if (event.type !== "task.progress") reloadSoon();
  });
  const whyNot = workers.data ? whyNoStart(task, workers.data) : "";
  return html`
    <section class="task-now card" aria-label=${t("task.now")}>
      <p class="unseen" role="status">${t("task.waits")}</p>
      <p class="task-going">${queue.data ? placeOf(task.taskId, queue.data) : t("task.waits")}</p>
      <p>${whyNot || [queue.data ? startOf(task.taskId, queue.data) : "",
        task.etaRangeSeconds ? t("task.done_in", { range: durationRange(task.etaRangeSeconds) }) : ""].filter(Boolean).join(" ")}</p>
    </section>`;
}

/**
 * Why no worker that is there takes the task, and what must come first; "" if one does.
 * @param {import("./use_task.js").TaskView} task @param {WorkerList} list
 */
function whyNoStart(task, { workers, pools }) {
  const needs = /** @type {string[]} */ (task.options["needs"] ?? []);
  const hasAll = (/** @type {{labels: Record<string, string>}} */ { labels }) => needs.every((need) => has(labels, need));
  const able = workers.filter((each) => each.trainTypes.includes(task.trainType) && hasAll(each));
  if (able.some((each) => each.state !== "draining")) return "";
  // The cluster drains workers by itself and starts others, so nobody has to do anything.
  const pool = pools.find((each) => each.maxWorkers > 0 && hasAll(each));
  if (pool) return `${t("task.cluster_starts_one")} ${pool.reason}`.trim();
  if (able.length) return t("task.all_drain");
  return needs.length ? t("task.no_worker_with", { needs: needs.join(", ") }) : t("task.no_worker");
}

/**
 * Whether a worker has what a task needs: the label, and if the need has a value, this value.
 * @param {Record<string, string>} labels @param {string} need
 */
function has(labels, need) {
  const [name, value] = need.split("=");
  return name !== undefined && name in labels && (value === undefined || labels[name] === value);
}

/** @param {string} taskId @param {QueueView} queue */
function placeOf(taskId, queue) {
  const entry = queue.queue.find((each) => each.taskId === taskId);
  if (entry) return entry.position === 1 ? t("task.is_next") : t("task.place", { place: entry.position });
  return queue.next ? t("task.place_after", { count: number(MOST_PLACES) }) : t("task.waits");
}

/** @param {string} taskId @param {QueueView} queue */
function startOf(taskId, queue) {
  const startsAt = queue.queue.find((each) => each.taskId === taskId)?.estimatedStartAt;
  if (!startsAt) return "";
  const leftS = (Date.parse(startsAt) - Date.now()) / 1000;
  return leftS < 10 ? t("task.starts_soon") : t("task.starts_in", { duration: estimate(leftS) });
}
