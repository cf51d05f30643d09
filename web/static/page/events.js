// What happens on the server, for the components of this tab.
import { address } from "./api.js";
import { TaskStream } from "./event_source.js";
import { useEffect, useRef } from "./preact.js";
import { makeStore } from "./store.js";

/** @typedef {import("./event_source.js").TaskEvent} TaskEvent */
/** @typedef {import("./event_source.js").StreamState} StreamState */

/** Whether events arrive, and since when (milliseconds since 1970) it has been so. */
export const touch = makeStore({ state: /** @type {StreamState} */ ("opening"), since: Date.now() });
/** Rises when everything that is shown should be read anew, because events may have been missed. */
export const epoch = makeStore(0);

/** @type {Set<(event: TaskEvent) => void>} */
const listeners = new Set();

/** @param {import("./event_source.js").Said} said */
function take(said) {
  if ("event" in said) {
    for (const listener of [...listeners]) listener(said.event);
    return;
  }
  if (said.state !== touch.get().state) touch.set({ state: said.state, since: Date.now() });
  if (said.missed && said.state === "live") epoch.set(epoch.get() + 1);
}

let isWanted = false;
/** Tells the stream whether somebody looks at this tab. @type {(() => void) | null} */
let look = null;

/** Listen, or stop to listen, as when nobody is signed in. @param {boolean} wanted */
export function listen(wanted) {
  isWanted = wanted;
  if (look) look();
  else if (wanted) begin();
}

function begin() {
  const tell = "SharedWorker" in window ? throughWorker() : byItself();
  look = () => tell(isWanted && document.visibilityState === "visible" ? "visible" : "hidden");
  document.addEventListener("visibilitychange", look);
  addEventListener("pageshow", look);
  addEventListener("pagehide", () => tell("gone"));
  look();
}

function throughWorker() {
  const worker = new SharedWorker(new URL("event_worker.js", import.meta.url), { type: "module", name: "events" });
  worker.port.onmessage = (message) => take(message.data);
  return (/** @type {string} */ message) => worker.port.postMessage(message);
}

function byItself() {
  const stream = new TaskStream(address("v1/events"), take);
  return (/** @type {string} */ message) => stream.want(message === "visible");
}

/**
 * Call `onEvent` for each event, or for those of one task.
 *
 * @param {(event: TaskEvent) => void} onEvent
 * @param {string} [taskId]
 */
export function useEvents(onEvent, taskId = "") {
  const newest = useRef(onEvent);
  newest.current = onEvent;
  useEffect(() => {
    /** @param {TaskEvent} event */
    const listener = (event) => {
      if (!taskId || event.taskId === taskId) newest.current(event);
    };
    listeners.add(listener);
    return () => void listeners.delete(listener);
  }, [taskId]);
}
