// The photos that a person has collected in the page and that are to be uploaded, class by class.
// They stay while another view is shown; a reload of the page loses those that were not uploaded.
import { makeStore } from "../../store.js";
import { t } from "../../words.js";
import { looksLikePicture } from "../../parts/picture_kinds.js";
import { sortIntoClasses } from "./sort_into_classes.js";

/** @typedef {import("../../parts/dropped_files.js").FoundFile} FoundFile */
/** @typedef {{key: number, file: File}} Photo */
/** @typedef {{key: number, label: string, photos: Photo[]}} PhotoClass */

/**
 * leftOut: files that will not be uploaded, and why. source: the name of the first dropped folder. parts, masks: names
 * of dropped folders that the person should know something about; see sort_into_classes.js. removed: what a person took
 * away last, and the classes as they were before it; null once something else has changed.
 *
 * @typedef {{what: string, before: PhotoClass[]}} Removed
 * @typedef {{classes: PhotoClass[], leftOut: import("./sort_into_classes.js").LeftOut[], source: string,
 *   parts: string[], masks: string[], removed: Removed | null}} Collection
 */

/** @type {Collection} */
const NOTHING = { classes: [], leftOut: [], source: "", parts: [], masks: [], removed: null };
export const collection = makeStore(NOTHING);

const MOST_NAME_CHARS = 100;

/** Whether the server takes the name of a class, which becomes the name of a folder. @param {string} label */
export const isGoodName = (label) => label.length <= MOST_NAME_CHARS && !/^\.|[/\\]/.test(label);

let lastKey = 0;

export const forgetCollection = () => collection.set(NOTHING);

/** A new class; without a label it gets one that is still free. @param {string} [label] @returns {number} its key */
export function addClass(label = freeLabel()) {
  lastKey += 1;
  change({ classes: [...collection.get().classes, { key: lastKey, label, photos: [] }] });
  return lastKey;
}

function freeLabel() {
  const labels = collection.get().classes.map((each) => each.label);
  let count = labels.length + 1;
  while (labels.includes(t("start.class_number", { count }))) count += 1;
  return t("start.class_number", { count });
}

/** @param {number} key @param {string} label */
export const renameClass = (key, label) => changeClass(key, (each) => ({ ...each, label }));

/** The class and its photos leave the page. What was uploaded stays on the server.
 * @param {PhotoClass} of @param {number} uploaded how many of its photos are there */
export function removeClass({ key, label, photos }, uploaded) {
  const { classes: before, removed } = collection.get();
  const what = [t("start.class_removed", { label, count: photos.length }),
    uploaded ? t("start.uploaded_stay", { count: uploaded }) : ""].filter(Boolean).join(" ");
  change({ classes: before.filter((each) => each.key !== key), removed: photos.length ? { what, before } : removed });
}

/** @param {number} key of the class @param {Photo} photo */
export function removePhoto(key, photo) {
  const before = collection.get().classes;
  const classes = before.map((each) =>
    each.key === key ? { ...each, photos: each.photos.filter((one) => one.key !== photo.key) } : each);
  change({ classes, removed: { what: t("start.photo_removed", { name: photo.file.name }), before } });
}

/** Brings back what was taken away last. */
export function bringBack() {
  const { removed } = collection.get();
  if (removed) change({ classes: removed.before });
}

/**
 * Single photos, whatever folder they come from, for one class.
 *
 * @param {number} key of the class
 * @param {File[]} files
 * @param {number} mostBytes the largest picture that the server takes
 */
export function addToClass(key, files, mostBytes) {
  const fit = files.filter((file) => looksLikePicture(file) && file.size <= mostBytes);
  const leftOut = files.filter((file) => !fit.includes(file)).map((file) => (
    { name: file.name, why: looksLikePicture(file) ? /** @type {const} */ ("too_large") : /** @type {const} */ ("no_picture") }));
  change({ leftOut: [...collection.get().leftOut, ...leftOut] });
  changeClass(key, (each) => ({ ...each, photos: [...each.photos, ...fit.map(photoOf)] }));
}

/**
 * Folders become classes. Single photos go to a new class, whose name the person can change.
 *
 * @param {FoundFile[]} found
 * @param {number} mostBytes
 */
export function addFound(found, mostBytes) {
  const sorted = sortIntoClasses(found, mostBytes);
  const before = collection.get();
  change({
    leftOut: [...before.leftOut, ...sorted.leftOut],
    source: before.source || sorted.source,
    parts: [...new Set([...before.parts, ...sorted.parts])],
    masks: [...new Set([...before.masks, ...sorted.masks])],
  });
  for (const [label, files] of sorted.classes) {
    const known = collection.get().classes.find((each) => each.label === label);
    addToClass(known ? known.key : addClass(label), files, mostBytes);
  }
  if (sorted.loose.length) addToClass(addClass(), sorted.loose, mostBytes);
}

/** @param {Partial<Collection>} changed */
const change = (changed) => collection.set({ ...collection.get(), removed: null, ...changed });

/** @param {number} key @param {(each: PhotoClass) => PhotoClass} how */
const changeClass = (key, how) =>
  change({ classes: collection.get().classes.map((each) => (each.key === key ? how(each) : each)) });

/** @param {File} file @returns {Photo} */
function photoOf(file) {
  lastKey += 1;
  return { key: lastKey, file };
}
