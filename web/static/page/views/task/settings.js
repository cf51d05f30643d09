// With which options a task is trained, and who asked for it when.
import { CopyButton } from "../../parts/copy_button.js";
import { DataTable } from "../../parts/data_table.js";
import { shownOption } from "../../parts/shown_option.js";
import { Busy, Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { fullTime, named, t } from "../../words.js";
import { useOptionsSchema } from "./train_again.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** @param {{task: TaskView}} props */
export function Settings({ task }) {
  const { schema, trouble, reload } = useOptionsSchema(task.trainType);
  return html`
    <section><h2>${t("task.options")}</h2>
      ${schema ? html`<${OptionTable} schema=${schema} given=${task.options} />`
        : trouble ? html`<${Trouble} error=${trouble} retry=${reload} />` : html`<${Busy} />`}</section>
    <section><h2>${t("task.about")}</h2><${Facts} task=${task} /></section>
    ${Object.keys(task.metadata).length > 0 && html`<section><h2>${t("task.metadata")}</h2>
      <dl class="task-facts">${Object.entries(task.metadata).map(([name, value]) => html`
        <dt>${name}</dt><dd>${value}</dd>`)}</dl></section>`}`;
}

/** @param {{schema: import("../../parts/options.js").OptionsSchema, given: Record<string, any>}} props */
const OptionTable = ({ schema, given }) => html`
  <${DataTable} title=${t("task.options")} name="task-options" heads=${[t("task.option"), t("task.value")]}>
    ${Object.entries(schema.properties).map(([name, option]) => html`<tr key=${name}>
      <th scope="row">${named("option", name)} <code class="small">${name}</code>
        <p class="muted small">${option.description}</p></th>
      <td>${Object.hasOwn(given, name) ? html`<strong>${shownOption(given[name])}</strong>`
        : html`<span class="muted">${t("task.default_value", { value: shownOption(option.default) })}</span>`}</td></tr>`)}<//>`;

/** @param {{task: TaskView}} props */
const Facts = ({ task }) => html`<dl class="task-facts">
  <dt>${t("task.id")}</dt><dd><code>${task.taskId}</code> <${CopyButton} text=${task.taskId} what=${t("task.id")} /></dd>
  <dt>${t("task.user")}</dt><dd>${task.userId}</dd>
  <dt>${t("task.folder")}</dt><dd><code>${task.projectDir}</code></dd>
  ${task.modelPath && html`<dt>${t("task.model_path")}</dt><dd><code>${task.modelPath}</code></dd>`}
  <dt>${t("task.submitted")}</dt><dd>${fullTime(task.submittedAt)}</dd>
  ${task.startedAt && html`<dt>${t("task.started")}</dt><dd>${fullTime(task.startedAt)}</dd>`}
  ${task.endedAt && html`<dt>${t("task.ended")}</dt><dd>${fullTime(task.endedAt)}</dd>`}
  ${task.endReason && html`<dt>${t("task.why_ended")}</dt><dd>${named("end_reason", task.endReason)}</dd>`}
  <dt>${t("task.request_id")}</dt><dd><code>${task.requestId}</code></dd>
  ${task.retryOf && html`<dt>${t("task.retry_of")}</dt><dd><${TaskLink} taskId=${task.retryOf} /></dd>`}
  ${(task.retriedBy?.length ?? 0) > 0 && html`<dt>${t("task.retried_by")}</dt>
    <dd>${task.retriedBy?.map((taskId) => html`<${TaskLink} key=${taskId} taskId=${taskId} /> `)}</dd>`}
</dl>`;

/** @param {{taskId: string}} props */
const TaskLink = ({ taskId }) => html`<a href=${link(["tasks", taskId])}><code>${taskId}</code></a>`;
