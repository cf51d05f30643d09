// One task as it is now: read once, and kept up to date by events.
import { taskPath } from "../../api.js";
import { useEvents } from "../../events.js";
import { useLoaded } from "../../loading.js";
import { useThrottled } from "../../throttle.js";

/** @typedef {import("../../api.js").Schemas["TaskView"]} TaskView */
/** @typedef {import("../../events.js").TaskEvent} TaskEvent */
/** @typedef {import("../../loading.js").Loaded<TaskView>} LoadedTask */

/** Several events often come at once, as when a task ends. The task is read again at most this often. */
const REREAD_MS = 200;

/** @param {string} taskId @returns {LoadedTask} */
export function useTask(taskId) {
  const task = /** @type {LoadedTask} */ (useLoaded(taskPath(taskId)));
  const reloadSoon = useThrottled(task.reload, REREAD_MS);
  useEvents((event) => {
    if (event.type === "task.progress") task.change((before) => withProgress(before, event));
    else reloadSoon();
  }, taskId);
  return task;
}

/** The task after a progress of its attempt; the same task if the progress is of an earlier time.
 * @param {TaskView} task @param {TaskEvent} event @returns {TaskView} */
function withProgress(task, event) {
  if (task.state !== "processing" || event.attempt !== task.attempt || (event.progress ?? 0) < task.progress) return task;
  return {
    ...task,
    progress: event.progress,
    thread: event.thread ?? task.thread,
    phase: event.phase ?? "",
    epoch: event.epoch ?? 0,
    epochsMax: event.epochsMax ?? 0,
    metrics: event.metrics ?? {},
    etaSeconds: event.etaSeconds ?? null,
    etaRangeSeconds: event.etaRangeSeconds ?? null,
  };
}
