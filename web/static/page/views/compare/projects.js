// The projects with finished tasks, to choose one.
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { ago, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

const TASKS_READ = 200;

export function Projects() {
  /** @type {import("../../loading.js").Loaded<Schemas["TaskList"]>} */
  const tasks = useLoaded("v1/tasks", { state: "done", sort: "-endedAt", limit: TASKS_READ });
  return html`
    <p>${t("compare.which")}</p>
    <${Shown} of=${tasks}>${(/** @type {Schemas["TaskList"]} */ list) => {
      const projects = projectsOf(list.tasks);
      return projects.length === 0 ? html`<${Empty}><p>${t("compare.none")}</p><//>` : html`
        <ul class="cards plain">${projects.map((project) => html`
          <li class="card" key=${`${project.userId}/${project.projectId}`}>
            <p><a href=${link(["compare", project.userId, project.projectId], { tasks: project.tasks.slice(0, 2).join(",") })}>
              <b>${project.projectId}</b></a></p>
            <p class="muted small">${project.userId} · ${t("compare.models", { count: project.tasks.length })} ·
              ${" "}${ago(project.endedAt)}</p></li>`)}</ul>
        ${list.next && html`<p class="muted">${t("compare.cut_off", { count: TASKS_READ })}</p>`}`;
    }}
    <//>`;
}

/** The projects of tasks, in the order in which they were last trained. Pure. @param {Schemas["TaskSummary"][]} tasks */
function projectsOf(tasks) {
  /** @type {Map<string, {userId: string, projectId: string, endedAt: string, tasks: string[]}>} */
  const found = new Map();
  for (const { taskId, userId, projectId, endedAt } of tasks) {
    const key = JSON.stringify([userId, projectId]);
    const project = found.get(key) ?? { userId, projectId, endedAt: endedAt ?? "", tasks: [] };
    project.tasks.push(taskId);
    found.set(key, project);
  }
  return [...found.values()];
}
