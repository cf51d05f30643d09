// One task in the list.
import { Bar } from "../../parts/bar.js";
import { headlineOf } from "../../parts/score.js";
import { StateTag } from "../../parts/state_tag.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { durationRange, fullTime, named, percent, t, time } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** @param {{task: Schemas["TaskSummary"]}} props */
export const TaskRow = ({ task }) => html`
  <tr>
    <th scope="row"><a href=${link(["tasks", task.taskId])}>${task.projectId}</a></th>
    <td><${StateTag} state=${task.state} /></td>
    <td class="progress"><${Progress} task=${task} /></td>
    <td>${scoreOf(task)}</td>
    <td class="name"><a href=${link(["now"], { userId: task.userId })}>${task.userId}</a></td>
    <td class="muted">${named("train_type", task.trainType)}</td>
    <td class="muted" title=${fullTime(task.endedAt ?? task.submittedAt)}>${task.endedAt
      ? t("now.ended", { time: time(task.endedAt) }) : t("now.submitted", { time: time(task.submittedAt) })}</td>
  </tr>`;

/** @param {{task: Schemas["TaskSummary"]}} props */
function Progress({ task }) {
  if (task.state === "failed") return html`<span class="reason">${task.error}</span>`;
  if (task.state === "cancelled" || task.state === "done") return null;
  const left = task.etaRangeSeconds ? t("now.left", { range: durationRange(task.etaRangeSeconds) }) : "";
  const phase = task.phase ? named("phase", task.phase) : "";
  return html`
    ${task.state === "processing" && html`<${Bar} progress=${task.progress} />`}
    <span class="muted small">${[phase, left].filter(Boolean).join(" · ")}</span>`;
}

/** @param {Schemas["TaskSummary"]} task */
function scoreOf(task) {
  const score = task.state === "done" ? headlineOf(task.metrics) : null;
  return score ? t("now.score_is", { name: named("metric", score.name), value: percent(score.value, 1) }) : "";
}
