// The one stream of events. It runs in a shared worker for all tabs, or in the page where there are no shared workers.
import { pauseAfterMs } from "./pauses.js";

/** @typedef {import("./api_types").components["schemas"]["Event"]} TaskEvent */
/**
 * opening: not yet connected. live: everything that happens arrives. away: the server does not answer. paused: no tab
 * is visible, so the stream is closed.
 *
 * @typedef {"opening" | "live" | "away" | "paused"} StreamState
 */
/**
 * What the stream says. missed: events were lost, so that everything should be read anew.
 *
 * @typedef {{state: StreamState, missed: boolean} | {event: TaskEvent}} Said
 */

const TYPES = [
  "task.submitted", "task.started", "task.progress", "task.stop_requested", "task.cancel_requested", "model.usable",
  "model.promoted", "artifact.ready", "attempt.lost", "task.done", "task.failed", "task.cancelled",
];

/** Keeps one EventSource open while it is wanted, and resumes where it was. */
export class TaskStream {
  /**
   * @param {string} url of /v1/events
   * @param {(said: Said) => void} say
   */
  constructor(url, say) {
    this.url = url;
    this.say = say;
    /** @type {StreamState} */
    this.state = "opening";
    this.since = "";
    /** How many connections have failed since the last one that was open. */
    this.failures = 0;
    /** @type {EventSource | null} */
    this.source = null;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** Whether somebody looks. @param {boolean} wanted */
  want(wanted) {
    if (wanted && !this.source && this.timer === undefined) {
      if (this.state === "paused") this.change("opening");
      this.open();
    } else if (!wanted) {
      this.close();
      this.change("paused");
    }
  }

  open() {
    this.timer = undefined;
    const url = this.since ? `${this.url}?since=${this.since}` : this.url;
    const source = new EventSource(url);
    this.source = source;
    source.onopen = () => {
      this.failures = 0;
      // Without a place to resume from, something may have happened before the stream was open.
      this.change("live", !this.since);
    };
    source.onerror = () => this.failed();
    source.addEventListener("reset", (message) => {
      this.since = String(JSON.parse(message.data).id);
      this.say({ state: "live", missed: true });
    });
    for (const type of TYPES) source.addEventListener(type, (message) => this.take(message.data));
  }

  /** @param {string} text */
  take(text) {
    /** @type {TaskEvent} */
    const event = JSON.parse(text);
    this.since = String(event.id);
    this.say({ event });
  }

  /** A browser gives up for ever after some errors, so we connect again by ourselves. */
  failed() {
    this.close();
    this.change("away");
    this.failures += 1;
    this.timer = setTimeout(() => this.open(), pauseAfterMs(this.failures));
  }

  close() {
    clearTimeout(this.timer);
    this.timer = undefined;
    this.source?.close();
    this.source = null;
  }

  /** @param {StreamState} state @param {boolean} [missed] */
  change(state, missed = false) {
    if (state === this.state && !missed) return;
    this.state = state;
    this.say({ state, missed });
  }
}
