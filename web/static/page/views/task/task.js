// The view of one task: its heading, what can be done with it, and its tabs. Each tab has an address of its own.
import { ApiError } from "../../api.js";
import { Empty, Shown } from "../../parts/states.js";
import { StateTag } from "../../parts/state_tag.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { Tabs } from "../../parts/tabs.js";
import { html, useEffect } from "../../preact.js";
import { link } from "../../router.js";
import { named, t } from "../../words.js";
import { Actions } from "./actions.js";
import { Attempts } from "./attempts.js";
import { Files } from "./files.js";
import { Later } from "./later.js";
import { Log } from "./log.js";
import { Overview } from "./overview.js";
import { Settings } from "./settings.js";
import { useTask } from "./use_task.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

await styleSheet("task");

/** The report is large, so it is loaded when somebody looks at it. */
const loadReport = async () => (await import("../report/report.js")).Report;

/** @type {Record<string, (task: TaskView) => unknown>} */
const TABS = {
  overview: (task) => html`<${Overview} task=${task} />`,
  report: (task) => html`<${Later} load=${loadReport} task=${task} />`,
  files: (task) => html`<${Files} task=${task} />`,
  options: (task) => html`<${Settings} task=${task} />`,
  attempts: (task) => html`<${Attempts} task=${task} />`,
  log: (task) => html`<${Log} task=${task} />`,
};
const FIRST = "overview";

/** @param {{route: import("../../router.js").Route}} props */
export function Task({ route }) {
  const [, taskId = "", tab = FIRST] = route.path;
  if (!taskId) {
    return html`<h1>${t("task.title")}</h1>
      <${Empty}><p>${t("task.which")}</p><p><a href=${link(["now"])}>${t("task.all_tasks")}</a></p><//>`;
  }
  return html`<${OneTask} key=${taskId} taskId=${taskId} tab=${Object.hasOwn(TABS, tab) ? tab : FIRST} />`;
}

/** @param {{taskId: string, tab: string}} props */
function OneTask({ taskId, tab }) {
  const loaded = useTask(taskId);
  useTitle(loaded.data);
  const isUnknown = loaded.data === null && loaded.trouble instanceof ApiError && loaded.trouble.status === 404;
  return html`
    ${loaded.data === null && html`<h1>${t("task.title")}</h1>`}
    <${Shown} of=${loaded} what=${t("task.loading")}>${(/** @type {TaskView} */ task) => html`
      <${Heading} task=${task} />
      <${Actions} task=${task} reload=${loaded.reload} />
      <${Tabs} label=${t("task.tabs")} current=${tab} items=${tabsOf(taskId)} />
      ${TABS[tab](task)}`}<//>
    ${isUnknown && html`<p><a href=${link(["now"])}>${t("task.all_tasks")}</a></p>`}`;
}

/** @param {string} taskId */
const tabsOf = (taskId) => Object.keys(TABS).map((name) => ({
  name, title: named("task_tab", name), path: name === FIRST ? ["tasks", taskId] : ["tasks", taskId, name],
}));

/** @param {{task: TaskView}} props */
const Heading = ({ task }) => html`
  <header class="task-heading">
    <h1>${task.projectId}</h1>
    <p class="row"><${StateTag} state=${task.state} />
      <span>${named("train_type", task.trainType)}</span>
      <span class="muted">${t("task.of_user", { user: task.userId })}</span></p>
  </header>`;

/** A person with several tabs sees in each title how that task goes. @param {TaskView | null} task */
function useTitle(task) {
  const title = task ? t("task.window", { project: task.projectId.slice(0, 60), state: named("state", task.state) }) : "";
  useEffect(() => {
    if (title) document.title = title;
  }, [title]);
}
