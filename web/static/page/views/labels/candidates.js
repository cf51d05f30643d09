// Which photos a person should look at, in which order. Pure.
import { mistakesOf } from "../report/record.js";

/**
 * label: as it stands in the folder; "" where it is not known. likely: the class that the photo seems to show, with its
 * probability. why: what speaks against the label.
 *
 * @typedef {{file: string, label: string, likely: string, probability: number | null,
 *   why: "looks_wrong" | "mistake" | "doubted" | "corrected"}} Candidate
 */

/** So many photos are shown. The first ones are the likeliest to be wrong. */
const MOST = 200;

/**
 * Labels that look wrong, then the worst mistakes, then labels that are only doubted; at the end other photos that were
 * corrected before.
 *
 * @param {import("../report/record.js").Metrics} metrics
 * @param {string[]} corrected
 * @returns {Candidate[]}
 */
export function candidatesOf(metrics, corrected) {
  const suspects = (metrics.suspect_labels ?? []).map(({ file, label, likely, likely_probability: probability, named }) =>
    ({ file, label, likely, probability, why: named ? "looks_wrong" : "doubted" }));
  const mistakes = mistakesOf(metrics).map(({ file, truth, predicted, probability }) =>
    ({ file, label: truth, likely: predicted, probability, why: "mistake" }));
  const ranked = /** @type {Candidate[]} */ ([
    ...suspects.filter((each) => each.why === "looks_wrong"), ...mistakes, ...suspects.filter((each) => each.why === "doubted"),
  ]);
  /** @type {Map<string, Candidate>} */
  const chosen = new Map();
  for (const each of ranked) if (chosen.size < MOST && !chosen.has(each.file)) chosen.set(each.file, each);
  for (const file of corrected) {
    if (!chosen.has(file)) chosen.set(file, { file, label: "", likely: "", probability: null, why: "corrected" });
  }
  return [...chosen.values()];
}
