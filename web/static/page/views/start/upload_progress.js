// The upload that runs in this page: it goes on while other views are shown.
import { OutOfTouch } from "../../api.js";
import { makeStore } from "../../store.js";
import { collection } from "./collection.js";
import { PhotoUpload, afterFailure, pauseBeforeRetry } from "./uploader.js";

/** @typedef {import("./uploader.js").Project} Project */
/** @typedef {{stored: number, duplicates: number, refused: number}} Outcome */

/**
 * state: "away" means that the server does not answer, and that the upload goes on when it does. byClass: by the key of
 * the class. refused: photos that the server did not take, and why. trouble: why all was stopped.
 *
 * @typedef {{state: "idle" | "running" | "away" | "paused" | "stopped" | "finished", project: Project | null,
 *   projectDir: string, total: number, ended: number, totalBytes: number, sentBytes: number,
 *   byClass: Record<number, Outcome>, stored: number, duplicates: number, refused: {name: string, why: string}[],
 *   trouble: Error | null}} UploadProgress
 */

const AT_ONCE = 3;
/** The page is drawn again at most this often. */
const REDRAW_MS = 100;

/** @type {UploadProgress} */
const IDLE = {
  state: "idle", project: null, projectDir: "", total: 0, ended: 0, totalBytes: 0, sentBytes: 0, byClass: {},
  stored: 0, duplicates: 0, refused: [], trouble: null,
};
export const uploadProgress = makeStore(IDLE);

/** Photos that are on the server or were refused, by key. @type {Set<number>} */
let ended = new Set();
/** @type {UploadProgress} */
let current = IDLE;
/** @type {Set<PhotoUpload>} */
const underWay = new Set();
let stopper = new AbortController();
/** @type {ReturnType<typeof setTimeout> | undefined} */
let redraw;

/** Whether the photo needs no upload any more. @param {number} photo its key */
export const hasEnded = (photo) => ended.has(photo);

/** Upload all collected photos that were not uploaded yet, those that are added meanwhile among them.
 * @param {Project} project */
export async function startUpload(project) {
  stopper = new AbortController();
  const { signal } = stopper;
  /** @type {Set<number>} */
  const taken = new Set(ended);
  /** @type {{key: number, label: string, photo: import("./collection.js").Photo}[]} */
  let waiting = [];
  const next = () => {
    if (waiting.length === 0) {
      waiting = collection.get().classes.flatMap(({ key, label, photos }) =>
        photos.filter((photo) => !taken.has(photo.key)).map((photo) => ({ key, label, photo }))).reverse();
    }
    const one = waiting.pop();
    if (!one) return null;
    taken.add(one.photo.key);
    return { key: one.key, upload: new PhotoUpload(project, one.label.trim(), one.photo) };
  };
  const sendOneByOne = async () => {
    for (let one = next(); one && !signal.aborted; one = next()) await sendOne(one, signal);
  };
  say({ state: "running", project, trouble: null }, true);
  await Promise.all(Array.from({ length: AT_ONCE }, sendOneByOne));
  if (!signal.aborted) stop({ state: "finished" });
}

/** The upload stays where it is. `startUpload` goes on. */
export const pauseUpload = () => stop({ state: "paused" });

/** What was uploaded stays on the server; the page forgets the upload. */
export function forgetUpload() {
  stop({});
  ended = new Set();
  current = IDLE;
  say({}, true);
}

/** @param {Partial<UploadProgress>} said */
function stop(said) {
  stopper.abort();
  underWay.clear();
  say(said, true);
}

/** @param {{key: number, upload: PhotoUpload}} waiting @param {AbortSignal} signal */
async function sendOne({ key, upload }, signal) {
  underWay.add(upload);
  let failures = 0;
  while (!signal.aborted) {
    try {
      const view = await upload.send(signal, () => {
        failures = 0;
        say({ state: "running" });
      });
      end(key, upload, view.state === "duplicate" ? "duplicates" : "stored");
      say({ state: "running", projectDir: view.projectDir });
      return;
    } catch (error) {
      if (signal.aborted) return;
      const reason = error instanceof Error ? error : new Error(String(error));
      const next = afterFailure(reason);
      if (next === "stop") return stop({ state: "stopped", trouble: reason });
      if (next === "refused") {
        say({ refused: [...current.refused, { name: `${upload.label}/${upload.photo.file.name}`, why: reason.message }] });
        return end(key, upload, "refused");
      }
      say({ state: reason instanceof OutOfTouch ? "away" : "running" });
      failures += 1;
      await pauseBeforeRetry(failures, reason, signal);
    }
  }
}

/** @param {number} key of the class @param {PhotoUpload} upload @param {keyof Outcome} outcome */
function end(key, upload, outcome) {
  underWay.delete(upload);
  ended.add(upload.photo.key);
  const before = current.byClass[key] ?? { stored: 0, duplicates: 0, refused: 0 };
  say({
    byClass: { ...current.byClass, [key]: { ...before, [outcome]: before[outcome] + 1 } },
    ...(outcome === "refused" ? {} : { [outcome]: current[outcome] + 1 }),
  });
}

/** @param {Partial<UploadProgress>} changed @param {boolean} [atOnce] */
function say(changed, atOnce = false) {
  current = { ...current, ...changed };
  watchOverPhotos();
  const show = () => {
    redraw = undefined;
    const sending = [...underWay].reduce((sum, upload) => sum + upload.sentBytes, 0);
    const photos = collection.get().classes.flatMap((each) => each.photos);
    const done = photos.filter(({ key }) => ended.has(key));
    uploadProgress.set({ ...current, ended: done.length, total: photos.length, totalBytes: bytesOf(photos),
      sentBytes: bytesOf(done) + sending });
  };
  if (atOnce) {
    clearTimeout(redraw);
    show();
  } else {
    redraw ??= setTimeout(show, REDRAW_MS);
  }
}

/** @param {import("./collection.js").Photo[]} photos */
const bytesOf = (photos) => photos.reduce((sum, { file }) => sum + file.size, 0);

/** @param {BeforeUnloadEvent} event */
const askBeforeLeaving = (event) => event.preventDefault();

/** A reload loses the photos that were not uploaded, so the browser asks first while there are any. */
function watchOverPhotos() {
  const isLosing = collection.get().classes.some(({ photos }) => photos.some(({ key }) => !ended.has(key)));
  if (isLosing) addEventListener("beforeunload", askBeforeLeaving);
  else removeEventListener("beforeunload", askBeforeLeaving);
}
collection.subscribe(watchOverPhotos);
