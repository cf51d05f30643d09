// Writes decisions to corrections.csv. It goes on when the view is left, until everything is saved.
import { ApiError, askedPauseMs, post } from "../../api.js";
import { pauseAfterMs } from "../../pauses.js";
import { makeStore } from "../../store.js";

/** @typedef {{action: "label" | "exclude" | "keep", label: string}} Decision */
/** @typedef {{userId: string, projectId: string, projectDir: string}} Project */
/** @typedef {{corrections: {picture: string, action: "label" | "exclude" | "keep", label: string}[]}} Corrections */

/** Decisions within this time are sent in one call. */
const GATHER_MS = 300;
/** The most changes of one call. */
const MOST_CHANGES = 500;
const TOO_MANY_REQUESTS = 429;
const SIGNED_OUT = 401;

/** @param {unknown} error whether the same call may be answered later */
const isPassing = (error) =>
  !(error instanceof ApiError) || error.status >= 500 || error.status === TOO_MANY_REQUESTS || error.status === SIGNED_OUT;

export class Saver {
  /** @param {Project} project */
  constructor(project) {
    this.project = project;
    /** What corrections.csv says. @type {Map<string, Decision>} */
    this.saved = new Map();
    /** What it should say and does not yet; null: nothing. @type {Map<string, Decision | null>} */
    this.unsaved = new Map();
    /** Why decisions were refused, by photo. @type {Map<string, string>} */
    this.refused = new Map();
    /** Why saving does not work at the moment; "" if it does. */
    this.trouble = "";
    /** How many times in a row saving has not worked. */
    this.failures = 0;
    /** Rises with every change of the above. */
    this.version = makeStore(0);
    this.isSending = false;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
  }

  /** @param {Corrections} read */
  load(read) {
    this.saved = new Map(read.corrections.map(({ picture, action, label }) => [picture, { action, label }]));
    this.changed();
  }

  /** @param {string} picture @returns {Decision | null} */
  decisionOf(picture) {
    const unsaved = this.unsaved.get(picture);
    return unsaved !== undefined ? unsaved : (this.saved.get(picture) ?? null);
  }

  /** How many photos have a decision. */
  get count() {
    const pictures = new Set([...this.saved.keys(), ...this.unsaved.keys()]);
    return [...pictures].filter((picture) => this.decisionOf(picture)).length;
  }

  /** @param {string} picture @param {Decision | null} decision null takes it back */
  decide(picture, decision) {
    this.unsaved.set(picture, decision);
    this.refused.delete(picture);
    this.changed();
    if (!this.isSending && this.timer === undefined) this.later(GATHER_MS);
  }

  /** @param {number} pauseMs */
  later(pauseMs) {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), pauseMs);
  }

  async send() {
    this.timer = undefined;
    const batch = [...this.unsaved].slice(0, MOST_CHANGES);
    if (batch.length === 0 || this.isSending) return;
    this.isSending = true;
    let pauseMs = 0;
    try {
      await this.sendAll(batch);
      this.trouble = "";
      this.failures = 0;
    } catch (error) {
      this.failures += 1;
      pauseMs = pauseAfterMs(this.failures, askedPauseMs(error));
      this.trouble = error instanceof Error ? error.message : String(error);
    }
    this.isSending = false;
    this.changed();
    if (this.unsaved.size > 0) this.later(pauseMs);
  }

  /** One wrong change has the whole call refused. Each is then sent alone. @param {[string, Decision | null][]} batch */
  async sendAll(batch) {
    try {
      await this.sendOnce(batch);
    } catch (error) {
      if (isPassing(error)) throw error;
      if (batch.length === 1) {
        this.refused.set(batch[0][0], error instanceof Error ? error.message : String(error));
        this.forget(batch);
        return;
      }
      for (const change of batch) await this.sendAll([change]);
    }
  }

  /** @param {[string, Decision | null][]} batch */
  async sendOnce(batch) {
    const changes = batch.map(([picture, decision]) => {
      if (!decision) return { picture, action: "none" };
      return decision.action === "label" ? { picture, ...decision } : { picture, action: decision.action };
    });
    const read = /** @type {Corrections} */ (await post("v1/corrections", { ...this.project, changes }));
    this.forget(batch);
    this.load(read);
  }

  /** A photo that was decided anew in the meantime stays unsaved. @param {[string, Decision | null][]} batch */
  forget(batch) {
    for (const [picture, decision] of batch) if (this.unsaved.get(picture) === decision) this.unsaved.delete(picture);
  }

  changed() {
    this.version.set(this.version.get() + 1);
  }
}

/** @type {Map<string, Saver>} */
const savers = new Map();

/** The saver of a project, which is the same for as long as the page is open. @param {Project} project */
export function saverOf({ userId, projectId, projectDir }) {
  const name = JSON.stringify([userId, projectId, projectDir]);
  const known = savers.get(name) ?? new Saver({ userId, projectId, projectDir });
  savers.set(name, known);
  return known;
}

addEventListener("beforeunload", (event) => {
  if ([...savers.values()].some((saver) => saver.unsaved.size > 0)) event.preventDefault();
});
