// The list of tasks, with its filters and pages.
import { DataTable } from "../../parts/data_table.js";
import { Empty, Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { useOnlyUser } from "../../session.js";
import { t } from "../../words.js";
import { Filters } from "./filters.js";
import { TaskRow } from "./task_row.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {Record<string, string>} Query */

/** @param {{tasks: import("../../loading.js").Loaded<Schemas["TaskList"]>, query: Query}} props */
export const Tasks = ({ tasks, query }) => html`
  <section aria-labelledby="tasks">
    <h2 id="tasks">${t("now.tasks")}</h2>
    <${Filters} query=${query} counts=${tasks.data?.counts ?? null} />
    <${Shown} of=${tasks}>${(/** @type {Schemas["TaskList"]} */ list) => html`
      ${list.tasks.length === 0 ? html`<${NoTasks} query=${query} />` : html`<${Table} tasks=${list.tasks} isBusy=${tasks.isOfBefore} />`}
      <${Pages} list=${list} query=${query} />`}
    <//>
  </section>`;

/** @param {{tasks: Schemas["TaskSummary"][], isBusy: boolean}} props */
const Table = ({ tasks, isBusy }) => html`
  <${DataTable} title=${t("now.tasks")} name="tasks" isBusy=${isBusy} heads=${[t("now.task"), t("now.state"), t("now.progress"),
    t("now.score"), t("now.user"), t("now.kind"), t("now.when")]}>
    ${tasks.map((task) => html`<${TaskRow} key=${task.taskId} task=${task} />`)}<//>`;

/** @param {{query: Query}} props */
function NoTasks({ query }) {
  const user = useOnlyUser();
  const isFiltered = Boolean(query.search || query.userId || query.projectId || query.state || query.cursor);
  return isFiltered
    ? html`<${Empty}><p>${t("now.nothing_found")}</p><p><a href=${link(["now"])}>${t("now.show_all")}</a></p><//>`
    : html`<${Empty}><p>${user ? t("now.nothing_of_user", { user }) : t("now.nothing_yet")}</p>
      <p><a href=${link(["start"])}>${t("now.start_one")}</a></p><//>`;
}

/** @param {{list: Schemas["TaskList"], query: Query}} props */
function Pages({ list, query }) {
  if (!list.next && !query.cursor) return null;
  const states = query.state ? query.state.split(",") : Object.keys(list.counts);
  const counts = new Map(Object.entries(list.counts));
  const all = states.reduce((sum, state) => sum + (counts.get(state) ?? 0), 0);
  return html`
    <nav class="row pages" aria-label=${t("now.later")}>
      <span class="muted">${t("now.cut_off", { count: list.tasks.length, all })}</span>
      ${query.cursor && html`<a href=${link(["now"], { ...query, cursor: "" })}>${t("now.first_page")}</a>`}
      ${list.next && html`<a href=${link(["now"], { ...query, cursor: list.next })}>${t("now.next_page")}</a>`}
    </nav>`;
}
