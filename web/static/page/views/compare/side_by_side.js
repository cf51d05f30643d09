// The compared tasks in columns: score, options that differ, and which model is in use.
import { taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { DataTable } from "../../parts/data_table.js";
import { Promote } from "../../parts/promote.js";
import { headlineOf } from "../../parts/score.js";
import { shownOption } from "../../parts/shown_option.js";
import { Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { useMayWrite } from "../../session.js";
import { shareRange } from "../../shares.js";
import { named, percent, shortId, t, time } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {Schemas["TaskView"]} Task */

/** @param {{tasks: string[], latest: string, reload: () => void}} props */
export function SideBySide({ tasks, latest, reload }) {
  const mayWrite = useMayWrite();
  // The number of tasks is a part of the component's key, so the hooks are the same each time.
  const loaded = tasks.map((taskId) => /** @type {import("../../loading.js").Loaded<Task>} */ (
    useLoaded(taskPath(taskId))));
  const waiting = loaded.find(({ data }) => data === null);
  if (waiting) return html`<${Shown} of=${waiting}>${() => null}<//>`;
  const views = loaded.map(({ data }) => /** @type {Task} */ (data));
  return html`
    <section aria-labelledby="side"><h2 id="side">${t("compare.side")}</h2>
      <${DataTable} title=${t("compare.side")} name="side" heads=${[t("compare.of_model"), ...views.map((task) => html`
        <a href=${link(["tasks", task.taskId])}>${shortId(task.taskId)}</a>`)]}>
          <${Row} label=${t("compare.score")} values=${views.map(scoreOf)} />
          <${Row} label=${t("compare.trained")} values=${views.map((task) => time(task.endedAt))} />
          <${Row} label=${t("compare.pictures")} values=${views.map((task) => String(task.dataReport?.pictures ?? ""))} />
          ${differing(views).map(([name, values]) => html`
            <${Row} key=${name} label=${named("option", name)} values=${values} />`)}
          <${Row} label=${t("compare.use")} values=${views.map((task) => (task.taskId === latest
            ? html`<span class="tag done">${t("compare.in_use")}</span>`
            : mayWrite && html`<${Promote} task=${task} reload=${reload} />`))} />
      <//>
    </section>`;
}

/** @param {{label: string, values: unknown[]}} props */
const Row = ({ label, values }) => html`<tr><th scope="row">${label}</th>${values.map((value) => html`<td>${value}</td>`)}</tr>`;

/** The score with its range. @param {Task} task */
function scoreOf(task) {
  const score = headlineOf(task.metrics);
  if (!score) return t("compare.no_score");
  const range = shareRange(score.low, score.high);
  return range ? t("compare.score_range", { score: percent(score.value, 1), range }) : percent(score.value, 1);
}

/** An option in words. @param {Task} task @param {string} name */
const optionOf = ({ options }, name) => (Object.hasOwn(options, name) ? shownOption(options[name]) : t("compare.default"));

/** The options that are not the same in all tasks, by name. Pure. @param {Task[]} tasks @returns {[string, string[]][]} */
function differing(tasks) {
  const names = [...new Set(tasks.flatMap((task) => Object.keys(task.options)))].sort();
  return names.map((name) => /** @type {[string, string[]]} */ ([name, tasks.map((task) => optionOf(task, name))]))
    .filter(([, values]) => new Set(values).size > 1);
}

