// A shared worker that holds the stream of events for all tabs. A browser opens at most six connections to a server,
// so a stream for each tab would leave the seventh tab, and all other calls, without one.
import { TaskStream } from "./event_source.js";

/** The tabs, and whether each is visible. @type {Map<MessagePort, boolean>} */
const tabs = new Map();
const stream = new TaskStream(new URL("../../../v1/events", import.meta.url).href, (said) => {
  for (const tab of tabs.keys()) tab.postMessage(said);
});

/** @param {MessagePort} tab @param {"visible" | "hidden" | "gone"} message */
function take(tab, message) {
  if (message === "gone") tabs.delete(tab);
  else tabs.set(tab, message === "visible");
  stream.want([...tabs.values()].some(Boolean));
}

addEventListener("connect", (event) => {
  const tab = /** @type {MessageEvent} */ (event).ports[0];
  tab.onmessage = (/** @type {MessageEvent} */ message) => take(tab, message.data);
  // The events since a tab began to load are not known to it, so it reads everything once.
  tab.postMessage({ state: stream.state, missed: true });
});
