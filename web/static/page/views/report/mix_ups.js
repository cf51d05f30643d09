// Which classes are taken for which others. Pure.

/** truth, answer: numbers of classes. count: how often. @typedef {{truth: number, answer: number, count: number}} MixUp */

/** A table with more classes is not readable, so it has those that are mixed up most. */
export const MOST_SHOWN = 12;
/** So many classes that a search finds stand in the table, each with those that it is mixed up with. */
const MOST_FOUND = 4;

/** All mix-ups, the most frequent first. @param {number[][]} matrix rows are the truth, columns the answers */
export function mixUpsOf(matrix) {
  /** @type {MixUp[]} */
  const found = [];
  matrix.forEach((row, truth) => row.forEach((count, answer) => {
    if (count > 0 && truth !== answer) found.push({ truth, answer, count });
  }));
  return found.sort((one, other) => other.count - one.count || one.truth - other.truth || one.answer - other.answer);
}

/**
 * The classes that the table shows, in their order.
 *
 * @param {string[]} labels
 * @param {MixUp[]} mixUps
 * @param {string} search a part of the name of a class; "" for the classes that are mixed up most
 */
export function shownClasses(labels, mixUps, search) {
  if (labels.length <= MOST_SHOWN) return labels.map((_, place) => place);
  const found = search ? foundClasses(labels, search).slice(0, MOST_FOUND) : [];
  if (search && found.length === 0) return [];
  const chosen = new Set(found);
  for (const { truth, answer } of mixUps) {
    if (search && !found.includes(truth) && !found.includes(answer)) continue;
    if (new Set([...chosen, truth, answer]).size <= MOST_SHOWN) chosen.add(truth).add(answer);
    if (chosen.size >= MOST_SHOWN) break;
  }
  return [...chosen].sort((one, other) => one - other);
}

/** @param {string[]} labels @param {string} search */
export function foundClasses(labels, search) {
  const wanted = search.trim().toLowerCase();
  return labels.flatMap((label, place) => (label.toLowerCase().includes(wanted) ? [place] : []));
}
