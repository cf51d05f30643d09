// The epochs of a task as they end, and the curves that they make.
import { get, taskPath } from "../../api.js";
import { epoch, useEvents } from "../../events.js";
import { useEffect, useRef, useState } from "../../preact.js";
import { useStore } from "../../store.js";
import { useThrottled } from "../../throttle.js";
import { isNamed, named, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas["EpochPage"]} EpochPage */
/** @typedef {EpochPage["epochs"][number]} EpochRecord */
/** @typedef {import("../../parts/curve.js").Line} Line */
/** One figure: a stage of the training, and either its losses or its scores.
 * @typedef {{stage: string, isLoss: boolean, xs: number[], lines: Line[]}} Chart */

/** Epochs of a small model end several times a second. */
const REREAD_MS = 700;
const PAGE = 5000;
/** More lines than these nobody can tell from each other, so the newest are drawn. */
const MOST_LINES = 5;

/**
 * The epochs that have ended. More of them come while the task is trained.
 *
 * @param {string} taskId
 * @returns {EpochRecord[]}
 */
export function useEpochs(taskId) {
  const [records, setRecords] = useState(/** @type {EpochRecord[]} */ ([]));
  const next = useRef(0);
  const reading = useRef(/** @type {AbortController | null} */ (null));
  const missed = useStore(epoch);
  const read = () => {
    reading.current?.abort();
    const controller = (reading.current = new AbortController());
    // Without an answer the curves stay as they are. The frame says that the server is out of touch.
    readOn(taskId, next.current, controller.signal).then((found) => {
      next.current = found.next;
      if (found.isNew) setRecords(found.added);
      else if (found.added.length > 0) setRecords((before) => [...before, ...found.added]);
    }, () => {});
  };
  useEffect(read, [taskId, missed]);
  useEffect(() => () => reading.current?.abort(), []);
  const readSoon = useThrottled(read, REREAD_MS);
  const last = useRef("");
  useEvents((event) => {
    const mark = event.type === "task.progress" ? `${event.attempt} ${event.phase} ${event.epoch}` : event.type;
    if (mark !== last.current) readSoon();
    last.current = mark;
  }, taskId);
  return records;
}

/**
 * Read what stands behind `after`. isNew: another attempt has begun the file anew, and `added` is all of it.
 *
 * @param {string} taskId
 * @param {number} after
 * @param {AbortSignal} signal
 * @returns {Promise<{added: EpochRecord[], next: number, isNew: boolean}>}
 */
async function readOn(taskId, after, signal) {
  const path = taskPath(taskId, "metrics");
  /** @type {EpochRecord[]} */
  const added = [];
  for (;;) {
    const page = await readPage(path, after, signal);
    if (page.next < after) return { ...(await readOn(taskId, 0, signal)), isNew: true };
    added.push(...page.epochs);
    const isLast = page.next - after < PAGE;
    after = page.next;
    if (isLast) return { added, next: after, isNew: false };
  }
}

/** @param {string} path @param {number} after @param {AbortSignal} signal @returns {Promise<EpochPage>} */
const readPage = (path, after, signal) => get(path, { after, limit: PAGE }, signal);

/**
 * Two figures for each stage with epochs: losses and scores. Pure.
 *
 * @param {EpochRecord[]} records
 * @returns {Chart[]}
 */
export function chartsOf(records) {
  const attempts = new Set(records.map((each) => each.attempt)).size;
  return [...new Set(records.map((each) => each.stage))].flatMap((stage) => {
    const ofStage = records.filter((each) => each.stage === stage);
    const names = [...new Set(ofStage.flatMap((each) => Object.keys(each.metrics ?? {})))];
    const xs = [...new Set(ofStage.map((each) => each.epoch))].sort((one, other) => one - other);
    return [true, false].map((isLoss) => ({
      stage, isLoss, xs, lines: linesOf(ofStage, names.filter((name) => name.includes("loss") === isLoss), xs, attempts > 1),
    })).filter((chart) => chart.lines.length > 0);
  });
}

/**
 * A line for each figure of each attempt and part.
 *
 * @param {EpochRecord[]} records
 * @param {string[]} names
 * @param {number[]} xs
 * @param {boolean} tellsAttempt
 * @returns {Line[]}
 */
function linesOf(records, names, xs, tellsAttempt) {
  /** @type {Map<string, Map<number, number>>} */
  const lines = new Map();
  for (const { attempt, part, epoch: x, metrics } of records) {
    for (const name of names) {
      const value = metrics?.[name];
      if (value === undefined) continue;
      const ofAttempt = tellsAttempt && t("task.attempt", { attempt });
      const label = [named("metric", name), part && partOf(part), ofAttempt].filter(Boolean).join(", ");
      const line = lines.get(label) ?? new Map();
      line.set(x, value);
      lines.set(label, line);
    }
  }
  return [...lines].slice(-MOST_LINES).map(([label, values]) => ({ label, values: xs.map((x) => values.get(x) ?? null) }));
}

/** The part of a stage in words, such as "fold 2". @param {string} part */
function partOf(part) {
  const [, name, place] = /^([a-z]+)(\d+)$/.exec(part) ?? [];
  return name && isNamed("part", name) ? named("part", name, { place }) : part;
}
