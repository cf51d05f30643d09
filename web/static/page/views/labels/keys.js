// The keys of the classes. Pure.

/** Letters that mean something else: keep, exclude, undo. */
const TAKEN = "kxu";
const KEYS = [..."123456789", ..."abcdefghijklmnopqrstuvwxyz"].filter((key) => !TAKEN.includes(key));

/** With more classes nobody could learn the keys, so a class is typed. */
export const MOST_KEYS = KEYS.length;

/**
 * The key of each class; none if there are too many classes.
 *
 * @param {string[]} labels
 * @returns {Map<string, string>} from the key to the class
 */
export function keysOf(labels) {
  return new Map(labels.length > MOST_KEYS ? [] : labels.map((label, place) => [KEYS[place], label]));
}

/**
 * The class that a person means who has typed a part of its name; undefined if it could be several.
 *
 * @param {string[]} labels
 * @param {string} typed
 */
export function meantClass(labels, typed) {
  const wanted = typed.trim().toLowerCase();
  if (!wanted) return undefined;
  const exact = labels.find((label) => label === typed) ?? labels.find((label) => label.toLowerCase() === wanted);
  if (exact !== undefined) return exact;
  const beginning = labels.filter((label) => label.toLowerCase().startsWith(wanted));
  return beginning.length === 1 ? beginning[0] : undefined;
}
