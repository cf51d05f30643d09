// What came of a finished task: its score in words, what to mind, and what to do next.
import { address, taskPath } from "../../api.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { share, shareRange } from "../../shares.js";
import { fullTime, isNamed, named, t, time } from "../../words.js";
import { useProject } from "./project.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** @param {{task: TaskView}} props */
export const Outcome = ({ task }) => html`
  <section class="task-outcome card" aria-labelledby="outcome-title">
    <h2 id="outcome-title">${t("task.is_done")}</h2>
    ${scoresOf(task.metrics).map((score, place) => html`<p class=${place === 0 ? "task-headline" : ""}>${inWords(score)}</p>`)}
    <p><${WhetherInUse} task=${task} /></p>
    <p class="muted small" title=${fullTime(task.endedAt)}>${t("task.done_at", { time: time(task.endedAt) })}
      ${" "}${task.endReason && named("end_reason", task.endReason)}</p>
    <ul class="task-next">
      <li><a href=${link(["try", task.taskId])}>${t("task.try")}</a></li>
      <li><a href=${link(["tasks", task.taskId, "report"])}>${t("task.to_report")}</a></li>
      <li><a href=${address(taskPath(task.taskId, "artifacts.zip"))} download>${t("task.download")}</a></li>
      ${task.trainType === "classification" && html`<li><a href=${link(["labels", task.taskId])}>${t("task.fix_labels")}</a></li>`}
      <li><a href=${link(["compare"], { tasks: task.taskId })}>${t("task.compare")}</a></li>
    </ul>
  </section>
  <${Warnings} warnings=${task.warnings ?? []} />`;

/** @param {{warnings: readonly string[]}} props */
const Warnings = ({ warnings }) => warnings.length === 0 ? null : html`
  <section class="task-warnings" aria-labelledby="warnings-title"><h2 id="warnings-title">${t("task.mind", { count: warnings.length })}</h2>
    <ul>${warnings.map((warning) => html`<li>${warning}</li>`)}</ul></section>`;

/** @param {{task: TaskView}} props */
function WhetherInUse({ task }) {
  const project = useProject(task);
  const latest = project.data?.latest?.taskId;
  if (latest === task.taskId) return t("task.in_use");
  if (latest === undefined) return "";
  return html`${t("task.not_in_use")} <a href=${link(["tasks", latest])}>${t("task.the_one_in_use")}</a>
    ${!task.promoted && task.comparison && html`<br />${task.comparison.sentence}`}`;
}

/** The metrics that have an interval. @param {Record<string, number>} metrics */
const scoresOf = (metrics) => Object.keys(metrics)
  .filter((name) => `${name}_low` in metrics && `${name}_high` in metrics)
  .map((name) => ({ name, value: metrics[name], low: metrics[`${name}_low`], high: metrics[`${name}_high`] }));

/** @param {{name: string, value: number, low: number, high: number}} score */
function inWords({ name, value, low, high }) {
  const values = { score: share(value), range: shareRange(low, high), ofTen: Math.round(value * 10) };
  if (isNamed("score_in_words", name)) return named("score_in_words", name, values);
  return t("task.score", { name: named("metric", name), ...values });
}
