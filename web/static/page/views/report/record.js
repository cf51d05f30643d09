// What metrics.json of a finished model holds, as far as the page shows it. docs/results.md describes all of it.

/**
 * @typedef {{name: string, value: number, low: number, high: number, pictures: number, right: number | null,
 *   method: string, folds: number, enough: boolean, sentence: string}} Score
 * @typedef {{file: string, truth: string, predicted: string, probability: number}} Answer
 * @typedef {{label: string, precision: number, precision_low: number | null, precision_high: number | null, recall: number,
 *   recall_low: number | null, recall_high: number | null, support: number, predicted: number, verdict: string}} ClassScore
 * @typedef {{dice: number, dice_low: number | null, dice_high: number | null, pixels: number, verdict?: string}} MaskScore
 * @typedef {{file: string, label: string, likely: string, named: boolean, label_probability: number,
 *   likely_probability: number}} Suspect
 * @typedef {{code: string, count: number, files: string[]}} CopyGroup
 * @typedef {{share: number, pictures: number, accuracy: number, low: number | null, high: number | null}} LearningPoint
 * @typedef {{points: LearningPoint[], advice: {label: string, gain: number, sentence: string}[], saturated: string[],
 *   photos_advised: number, sentence: string}} Learning
 * @typedef {{low: number, high: number, confidence: number, accuracy: number, pictures: number}} Bin
 * @typedef {{temperature: number, ece_before: number, ece_after: number, before?: Bin[], after?: Bin[]}} Calibration
 * @typedef {{with_task: string, pictures: number, now_only_right: number, before_only_right: number, p_value: number,
 *   score_now: number | null, score_before: number | null, promoted: boolean, sentence: string}} Comparison
 * @typedef {Record<string, number>} Epoch
 */
/**
 * @typedef {{headline: string, score?: Score, baseline?: Record<string, number>, history?: Epoch[], end_reason?: string,
 *   labels: string[], per_class?: ClassScore[] | Record<string, MaskScore>, confusion_matrix?: number[][],
 *   images?: Record<string, number>, images_per_class?: Record<string, number>, copies?: CopyGroup[],
 *   held_out?: (Answer & Record<string, number>)[], cross_validated?: Answer[], learning_curve?: Learning | null,
 *   suspect_labels?: Suspect[], skipped?: {file: string, reason: string}[], warnings?: string[],
 *   calibration?: Calibration | null, unknown?: {threshold: number, kept: number | null, spotted: number | null} | null,
 *   comparison?: Comparison | null}} Metrics
 */
/** @typedef {import("../../api.js").Schemas["TaskView"]} Task */
/** @typedef {import("../../api.js").Schemas["Finding"]} Finding */

/** Whether the model answers with a class for each photo, and not with a mask. @param {{trainType: string}} task */
export const isClassifier = (task) => task.trainType === "classification";

/** What models answered for photos that they did not train on. @param {Metrics} metrics @returns {Answer[]} */
export const answersOf = (metrics) => [...(metrics.held_out ?? []), ...(metrics.cross_validated ?? [])];

/** The wrong ones, the surest first. @param {Metrics} metrics @returns {Answer[]} */
export const mistakesOf = (metrics) =>
  answersOf(metrics)
    .filter((answer) => answer.truth !== answer.predicted)
    .sort((one, other) => other.probability - one.probability || one.file.localeCompare(other.file));

/** Whether the model before stayed in use, and nobody has decided otherwise since.
 * @param {Task} task @param {Metrics | null} metrics */
export const isHeldBack = (task, metrics) => metrics?.comparison?.promoted === false && !task.promoted;
