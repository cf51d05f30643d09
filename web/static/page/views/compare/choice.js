// The finished tasks of a project, of which a person chooses those to compare.
import { headlineOf } from "../../parts/score.js";
import { Empty } from "../../parts/states.js";
import { html } from "../../preact.js";
import { named, percent, shortId, t, time } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** More than these nobody can tell from each other. */
export const MOST_TASKS = 4;

/** @param {{project: Schemas["ProjectView"], chosen: string[], choose: (tasks: string[]) => void}} props */
export function Choice({ project, chosen, choose }) {
  const done = project.tasks.filter((task) => task.state === "done");
  if (done.length < 2) return html`<${Empty}><p>${t("compare.too_few")}</p><//>`;
  /** @param {string} taskId */
  const toggle = (taskId) => choose(chosen.includes(taskId) ? chosen.filter((each) => each !== taskId) : [...chosen, taskId]);
  return html`
    <fieldset class="choice"><legend>${t("compare.choose", { most: MOST_TASKS })}</legend>
      ${done.map((task) => html`
        <label key=${task.taskId}><input type="checkbox" checked=${chosen.includes(task.taskId)}
          disabled=${!chosen.includes(task.taskId) && chosen.length >= MOST_TASKS} onChange=${() => toggle(task.taskId)} />
          ${nameOf(task)} <span class="muted small">${named("train_type", task.trainType)} · ${scoreOf(task)}</span>
          ${project.latest?.taskId === task.taskId && html` <span class="tag done">${t("compare.in_use")}</span>`}</label>`)}
    </fieldset>`;
}

/** @param {Schemas["TaskSummary"]} task */
const nameOf = (task) => t("compare.ended", { time: time(task.endedAt), id: shortId(task.taskId) });

/** @param {Schemas["TaskSummary"]} task */
function scoreOf(task) {
  const score = headlineOf(task.metrics);
  return score ? percent(score.value, 1) : t("compare.no_score");
}
