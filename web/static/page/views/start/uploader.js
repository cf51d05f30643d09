// Brings the collected photos to the server: part by part, three at a time, and goes on after any interruption.
import { ApiError, OutOfTouch, address, askedPauseMs, get, post, request } from "../../api.js";
import { pauseAfterMs } from "../../pauses.js";

/** @typedef {import("./collection.js").Photo} Photo */
/** @typedef {{userId: string, projectId: string}} Project */

/** @typedef {import("../../api.js").Schemas["UploadView"]} UploadView */

/** These refusals are about all photos, so the others need not be tried. By HTTP status and by code. */
const ABOUT_ALL = [401, 403, 404, 405, 507];
const ABOUT_ALL_CODES = ["disk_nearly_full"];
const ABOUT_PROJECT = ["userId", "projectId"];
/** The server has too much to do, or restarts. */
const LATER = [429, 502, 503, 504];

/** Wait, unless the signal says to stop. @param {number} pause_ms @param {AbortSignal} signal @returns {Promise<void>} */
const wait = (pause_ms, signal) => new Promise((resolve) => {
  const timer = setTimeout(resolve, pause_ms);
  signal.addEventListener("abort", () => resolve(clearTimeout(timer)), { once: true });
});

/** SHA-256 in hexadecimal digits. Browsers compute it only for https and for localhost; otherwise it is left out.
 * @param {File} file */
async function sha256(file) {
  if (!globalThis.crypto?.subtle) return undefined;
  const digest = await crypto.subtle.digest("SHA-256", await file.arrayBuffer());
  return [...new Uint8Array(digest)].map((byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** One photo on its way. */
export class PhotoUpload {
  /** @param {Project} project @param {string} label @param {Photo} photo */
  constructor(project, label, photo) {
    this.project = project;
    this.label = label;
    this.photo = photo;
    this.sentBytes = 0;
    this.uploadId = "";
    /** @type {string | undefined} */
    this.digest = undefined;
  }

  /**
   * Until the photo is on the server. Throws what its calls throw; it can be called again and goes on where it was.
   *
   * @param {AbortSignal} signal
   * @param {() => void} onProgress
   * @returns {Promise<UploadView>}
   */
  async send(signal, onProgress) {
    let view = await this.#found(signal);
    this.uploadId = view.uploadId;
    while (view.state === "open") {
      this.sentBytes = view.offset;
      onProgress();
      view = await this.#sendPart(view, signal);
    }
    this.sentBytes = this.photo.file.size;
    return view;
  }

  /** @param {AbortSignal} signal @returns {Promise<UploadView>} */
  async #found(signal) {
    const { file } = this.photo;
    if (this.uploadId) {
      try {
        return await get(`v1/uploads/${this.uploadId}`, {}, signal);
      } catch (error) {
        // The server has forgotten it, as it does after a day.
        if (!(error instanceof ApiError && error.status === 404)) throw error;
      }
    }
    this.digest ??= await sha256(file);
    return post("v1/uploads", {
      ...this.project, label: this.label, name: file.name, sizeBytes: file.size,
      ...(this.digest ? { sha256: this.digest } : {}),
    }, signal);
  }

  /** @param {UploadView} view @param {AbortSignal} signal @returns {Promise<UploadView>} */
  async #sendPart(view, signal) {
    const path = `v1/uploads/${view.uploadId}`;
    try {
      const answer = await request(address(path), {
        method: "POST",
        headers: { "Content-Type": "application/octet-stream", "Upload-Offset": String(view.offset) },
        body: this.photo.file.slice(view.offset, view.offset + view.chunkBytes),
        signal,
      });
      return await answer.json();
    } catch (error) {
      // An earlier try has arrived although its answer was lost: the server knows how far it is.
      if (error instanceof ApiError && error.status === 409) return get(path, {}, signal);
      throw error;
    }
  }
}

/**
 * What to do after a failure: "wait" and try again, give up this photo ("refused"), or "stop" all.
 *
 * @param {unknown} error
 * @returns {"wait" | "refused" | "stop"}
 */
export function afterFailure(error) {
  if (error instanceof OutOfTouch) return "wait";
  if (!(error instanceof ApiError)) return "refused"; // The browser cannot read the file any more.
  if (ABOUT_ALL_CODES.includes(error.code) || ABOUT_PROJECT.some((name) => name in error.fields)) return "stop";
  if (LATER.includes(error.status) || error.code === "unknown_upload") return "wait";
  return ABOUT_ALL.includes(error.status) ? "stop" : "refused";
}

/** @param {number} failures in a row @param {unknown} error the last of them @param {AbortSignal} signal */
export const pauseBeforeRetry = (failures, error, signal) => wait(pauseAfterMs(failures, askedPauseMs(error)), signal);
