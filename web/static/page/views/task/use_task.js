// One task as it is now: read once, and kept up to date by events.
import { useEvents } from "../../events.js";
import { useLoaded } from "../../loading.js";
import { useCallback, useEffect, useRef } from "../../preact.js";

/** @typedef {import("../../api.js").Schemas["TaskView"]} TaskView */
/** @typedef {import("../../events.js").TaskEvent} TaskEvent */
/** @typedef {import("../../loading.js").Loaded<TaskView>} LoadedTask */

/** Facts often come several at once, as when a task ends. They are answered by one reading. */
const GATHER_MS = 50;

/** @param {string} taskId @returns {LoadedTask} */
export function useTask(taskId) {
  const task = /** @type {LoadedTask} */ (useLoaded(`v1/tasks/${encodeURIComponent(taskId)}`));
  const reloadSoon = useSoon(task.reload, GATHER_MS);
  useEvents((event) => {
    if (event.type === "task.progress") task.change((before) => withProgress(before, event));
    else reloadSoon();
  }, taskId);
  return task;
}

/** The task after a progress of its attempt; the same task if the progress is of an earlier time.
 * @param {TaskView} task @param {TaskEvent} event @returns {TaskView} */
function withProgress(task, event) {
  if (task.state !== "processing" || event.attempt !== task.attempt) return task;
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

/**
 * A function that calls `act` once, `pauseMs` after it was first called.
 *
 * @param {() => void} act
 * @param {number} pauseMs
 */
export function useSoon(act, pauseMs) {
  const newest = useRef(act);
  newest.current = act;
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      newest.current();
    }, pauseMs);
  }, [pauseMs]);
}
