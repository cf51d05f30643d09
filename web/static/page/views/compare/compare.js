// The view that compares the models of a project.
import { taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { html, useEffect } from "../../preact.js";
import { go, isPart, link } from "../../router.js";
import { t } from "../../words.js";
import { Choice, MOST_TASKS } from "./choice.js";
import { Curves } from "./curves.js";
import { Differences } from "./differences.js";
import { Gate } from "./gate.js";
import { Projects } from "./projects.js";
import { SideBySide } from "./side_by_side.js";

await styleSheet("compare");

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {import("../../router.js").Route} Route */

/** `#/compare` lists projects, and `#/compare/<userId>/<projectId>?tasks=…,…` compares tasks of one.
 * @param {{route: Route}} props */
export function Compare({ route }) {
  const [, userId, projectId] = route.path;
  const tasks = [...new Set((route.query.tasks ?? "").split(",").filter(isPart))].slice(0, MOST_TASKS);
  return html`
    <h1>${t("compare.title")}</h1>
    ${userId && projectId ? html`<${Project} userId=${userId} projectId=${projectId} chosen=${tasks} />`
      : tasks.length > 0 ? html`<${ProjectOf} tasks=${tasks} />` : html`<${Projects} />`}`;
}

/** Finds the project of a task, for links that know only the task. @param {{tasks: string[]}} props */
function ProjectOf({ tasks }) {
  /** @type {import("../../loading.js").Loaded<Schemas["TaskView"]>} */
  const task = useLoaded(taskPath(tasks[0]));
  useEffect(() => {
    if (task.data) go(["compare", task.data.userId, task.data.projectId], { tasks: tasks.join(",") }, { replace: true });
  }, [task.data]);
  return html`<${Shown} of=${task}>${() => null}<//>`;
}

/** @param {{userId: string, projectId: string, chosen: string[]}} props */
function Project({ userId, projectId, chosen }) {
  /** @type {import("../../loading.js").Loaded<Schemas["ProjectView"]>} */
  const project = useLoaded(`v1/projects/${encodeURIComponent(userId)}/${encodeURIComponent(projectId)}`, { limit: 200 });
  const choose = (/** @type {string[]} */ tasks) =>
    go(["compare", userId, projectId], { tasks: tasks.join(",") }, { replace: true });
  return html`
    <p>${t("compare.project", { project: projectId, user: userId })} <a class="small" href=${link(["compare"])}>
      ${t("compare.other_project")}</a></p>
    <${Shown} of=${project}>${(/** @type {Schemas["ProjectView"]} */ view) => html`
      <${Choice} project=${view} chosen=${chosen} choose=${choose} />
      ${chosen.length > 1 ? html`
        <${SideBySide} key=${`side ${chosen}`} tasks=${chosen} latest=${view.latest?.taskId ?? ""} reload=${project.reload} />
        <${Differences} key=${`differences ${chosen}`} tasks=${chosen} />
        <${Curves} key=${`curves ${chosen}`} tasks=${chosen} />`
        : html`<${Empty}><p>${t("compare.choose_two")}</p><//>`}
      <${Gate} gate=${view.gate} />`}
    <//>`;
}
