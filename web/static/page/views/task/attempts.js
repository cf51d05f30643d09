// The attempts at a task, what ended each, and how long the stages of the finished one took.
import { DataTable } from "../../parts/data_table.js";
import { Empty } from "../../parts/states.js";
import { html } from "../../preact.js";
import { duration, fullTime, named, t, time } from "../../words.js";
import { inWords } from "./ended_attempts.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** @param {{task: TaskView}} props */
export function Attempts({ task }) {
  const rows = rowsOf(task);
  const stages = Object.entries(task.stageSeconds);
  return html`
    ${rows.length === 0 ? html`<${Empty}><p>${t("task.no_attempt")}</p><//>` : html`
    <${DataTable} title=${t("task.attempts")}
      heads=${[t("task.attempt_number"), t("task.attempt_worker"), t("task.attempt_ended"), t("task.attempt_how")]}>
      ${rows.map((row) => html`<tr key=${row.attempt}><th scope="row">${row.attempt}</th><td>${row.worker}</td>
        <td title=${fullTime(row.endedAt)}>${time(row.endedAt)}</td><td>${row.how}
          ${row.error && html`<br /><span class="muted small">${row.error}</span>`}</td></tr>`)}<//>`}
    ${stages.length > 0 && html`<section><h2>${t("task.stages")}</h2>
      <dl class="task-facts">${stages.map(([name, seconds]) => html`
        <dt>${named("phase", name.replace(/^first_/, ""))}</dt><dd>${duration(Math.round(seconds * 10) / 10)}</dd>`)}</dl></section>`}`;
}

/**
 * The attempts from first to last. The last one stands among the ended ones only if it failed.
 *
 * @param {TaskView} task
 * @returns {{attempt: number, worker: string, endedAt: string | null, how: string, error: string}[]}
 */
function rowsOf(task) {
  const rows = task.endedAttempts.map((each) => (
    { attempt: each.attempt, worker: each.thread, endedAt: each.endedAt, how: inWords(each), error: each.error }));
  const isListed = rows.some((row) => row.attempt === task.attempt);
  if (!isListed && task.thread) {
    const hasEnded = task.state !== "processing";
    rows.push({ attempt: task.attempt, worker: task.thread, endedAt: hasEnded ? task.endedAt : null,
      how: named("state", task.state), error: task.state === "failed" ? task.error ?? "" : "" });
  }
  return rows;
}
