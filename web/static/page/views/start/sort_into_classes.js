// Which class each dropped file belongs to, by the folder that it lies in.
import { looksLikePicture } from "../../parts/picture_kinds.js";

/** @typedef {import("../../parts/dropped_files.js").FoundFile} FoundFile */
/** @typedef {{name: string, why: "no_picture" | "in_no_class" | "too_large"}} LeftOut */

/**
 * classes: the files of each class. loose: pictures in no folder. source: the name of the folder around all classes,
 * or "". parts: folders such as train and test whose classes were put together. masks: folders that look like masks.
 *
 * @typedef {{classes: Map<string, File[]>, loose: File[], leftOut: LeftOut[], source: string, parts: string[],
 *   masks: string[]}} Sorted
 */

const PARTS = new Set(["train", "training", "val", "valid", "validation", "test", "testing"]);
const MASKS = new Set(["mask", "masks", "labels", "annotations", "segmentationclass"]);

/**
 * The folders at the first place where there are several side by side are the classes. Folders around them have no
 * meaning, and what lies deeper belongs to its class, as in a folder on the server.
 *
 * @param {FoundFile[]} found
 * @param {number} mostBytes the largest picture that the server takes
 * @returns {Sorted}
 */
export function sortIntoClasses(found, mostBytes) {
  /** @type {LeftOut[]} */
  const leftOut = [];
  const pictures = found.filter(({ file, folders }) => {
    const why = !looksLikePicture(file) ? "no_picture" : file.size > mostBytes ? "too_large" : "";
    if (why) leftOut.push({ name: [...folders, file.name].join("/"), why });
    return !why;
  });
  const loose = pictures.filter(({ folders }) => folders.length === 0).map(({ file }) => file);
  const inFolders = pictures.filter(({ folders }) => folders.length > 0);
  const around = sharedBeginning(inFolders.map(({ folders }) => folders));
  const sideBySide = new Set(inFolders.map(({ folders }) => folders[around.length] ?? ""));
  const parts = isSplit(sideBySide) ? [...sideBySide] : [];
  const place = around.length + (parts.length ? 1 : 0);
  /** @type {Map<string, File[]>} */
  const classes = new Map();
  for (const { file, folders } of inFolders) {
    const label = sideBySide.size === 1 && sideBySide.has("") ? around[around.length - 1] : folders[place];
    if (label === undefined) leftOut.push({ name: [...folders, file.name].join("/"), why: "in_no_class" });
    else if (classes.has(label)) classes.get(label)?.push(file);
    else classes.set(label, [file]);
  }
  const source = around.length && !classes.has(around[0]) ? around[0] : "";
  const masks = [...classes.keys()].filter((label) => MASKS.has(label.toLowerCase()));
  return { classes, loose, leftOut, source, parts, masks };
}

/** @param {Set<string>} names */
const isSplit = (names) => names.size > 1 && [...names].every((name) => PARTS.has(name.toLowerCase()));

/** The folders that all paths begin with. @param {string[][]} paths */
function sharedBeginning(paths) {
  if (paths.length === 0) return [];
  const [first] = paths;
  let length = Math.min(...paths.map((path) => path.length));
  for (const path of paths) while (path.slice(0, length).some((name, at) => name !== first[at])) length -= 1;
  return first.slice(0, length);
}
