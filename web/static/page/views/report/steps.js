// What the owner of the photos should do next, the most urgent first. Pure.
import { t } from "../../words.js";
import { isHeldBack } from "./record.js";

/** @typedef {import("./record.js").Finding} Finding */
/**
 * tone: how urgent it is. text: what is the case. cure: what to do. see: the section that shows it, or "". fix: whether
 * the view "Fix labels" is the place to do it. finding: what it comes from, if that names files.
 *
 * @typedef {{tone: "bad" | "warn" | "plain", text: string, cure: string, see: string, fix: boolean, finding: Finding | null}} Step
 */

/** The sections that show what a finding is about, by the code of the finding. @type {Record<string, string>} */
const SHOWN_IN = {
  labels_look_wrong: "suspects",
  more_pictures: "learning",
  duplicates_exact: "copies",
  duplicates_near: "copies",
  few_different_to_score: "copies",
  class_in_few_masks: "classes",
  unreadable_pictures: "folder",
};
/** Wrong labels spoil a model most and are mended soonest. Then come the photos that are missing. Other findings follow. */
const SOONEST = [
  "labels_look_wrong", "same_picture_in_classes", "copies_with_other_masks", "masks_swapped", "doubtful_classes",
  "callers_split_leaks", "callers_split_series", "classes_not_scored", "few_different_to_score", "few_pictures", "few_pairs",
  "imbalance",
];
/** Findings that ask for something although nothing is wrong. */
const WORTH_DOING = ["more_pictures"];

/**
 * @param {import("./record.js").Task} task
 * @param {import("./record.js").Metrics | null} metrics null without a model
 * @returns {Step[]}
 */
export function nextSteps(task, metrics) {
  const findings = task.dataReport?.findings ?? [];
  const serious = findings.filter((finding) => finding.severity !== "info").sort((one, other) => placeOf(one) - placeOf(other));
  const steps = [
    ...ofModel(task, metrics),
    ...serious.map(ofFinding),
    ...otherWarnings(task, metrics, serious),
    ...findings.filter((finding) => WORTH_DOING.includes(finding.code) && finding.severity === "info").map(ofFinding),
  ];
  if (metrics?.end_reason === "epochs") steps.push(step("plain", t("report.epochs_used_up"), t("report.more_epochs")));
  if (metrics?.end_reason === "budget") steps.push(step("plain", t("report.budget_used_up"), t("report.more_time")));
  return steps;
}

/** @param {Finding} finding */
function placeOf(finding) {
  const place = SOONEST.indexOf(finding.code);
  return (finding.severity === "error" ? 0 : 100) + (place < 0 ? SOONEST.length : place);
}

/** @param {Step["tone"]} tone @param {string} text @param {string} [cure] @param {string} [see] @returns {Step} */
const step = (tone, text, cure = "", see = "") => ({ tone, text, cure, see, fix: false, finding: null });

/** @param {Finding} finding @returns {Step} */
const ofFinding = (finding) => ({
  tone: finding.severity === "error" ? "bad" : finding.severity === "warning" ? "warn" : "plain",
  text: finding.sentence,
  cure: finding.cure ?? "",
  see: Object.hasOwn(SHOWN_IN, finding.code) ? SHOWN_IN[finding.code] : "",
  fix: finding.code === "labels_look_wrong",
  finding,
});

/** @param {import("./record.js").Task} task @param {import("./record.js").Metrics | null} metrics */
function ofModel(task, metrics) {
  const steps = [];
  if (isHeldBack(task, metrics)) steps.push(step("warn", t("report.before_better"), t("report.use_anyway"), "comparison"));
  if (metrics?.score?.enough === false) {
    steps.push(step("warn", t("report.few_scored", { count: metrics.score.pictures }), t("report.add_photos")));
  }
  return steps;
}

/**
 * Warnings that no finding says already, and that are not the score or the comparison.
 *
 * @param {import("./record.js").Task} task
 * @param {import("./record.js").Metrics | null} metrics
 * @param {Finding[]} serious
 */
function otherWarnings(task, metrics, serious) {
  const said = [...serious.map((finding) => finding.sentence), metrics?.score?.sentence, metrics?.comparison?.sentence];
  const others = (task.warnings ?? []).filter((warning) => !said.some((sentence) => sentence && warning.startsWith(sentence)));
  return others.map((warning) => step("warn", warning));
}
