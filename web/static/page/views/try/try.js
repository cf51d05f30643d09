// The view that tries a model on pictures of one's own.
import { taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { t } from "../../words.js";
import { Models } from "./models.js";
import { Pictures } from "./pictures.js";

await styleSheet("try");

/** @typedef {import("../../api.js").Schemas} Schemas */

/** `#/try` lists the models, and `#/try/<taskId>` tries one.
 * @param {{route: import("../../router.js").Route}} props */
export function Try({ route }) {
  const taskId = route.path[1] ?? "";
  return html`
    <h1>${t("try.title")}</h1>
    ${taskId ? html`<${OneModel} key=${taskId} taskId=${taskId} />` : html`<${Models} />`}`;
}

/** @param {{taskId: string}} props */
function OneModel({ taskId }) {
  /** @type {import("../../loading.js").Loaded<Schemas["TaskView"]>} */
  const task = useLoaded(taskPath(taskId));
  return html`
    <${Shown} of=${task}>${(/** @type {Schemas["TaskView"]} */ view) => html`
      <p>${t("try.model_of")} <a href=${link(["tasks", taskId])}>${view.projectId}</a>
        <span class="muted">${` · ${t("try.by_user", { user: view.userId })}`}</span>
        ${" "}<a class="small" href=${link(["try"])}>${t("try.other_model")}</a></p>
      ${view.modelPath || view.state === "processing"
        ? html`<${Pictures} task=${view} />` : html`<${NoModel} task=${view} />`}`}
    <//>`;
}

/** @param {{task: Schemas["TaskView"]}} props */
const NoModel = ({ task }) => html`
  <${Empty}><p>${task.state === "pending" ? t("try.not_yet") : t("try.no_model")}</p>
    <p><a href=${link(["tasks", task.taskId])}>${t("try.see_task")}</a></p><//>`;
