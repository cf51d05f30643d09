// The view in which a person says which labels are wrong. Nothing is deleted or moved; decisions stand in corrections.csv.
import { taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { html, useEffect, useMemo } from "../../preact.js";
import { link } from "../../router.js";
import { useMayWrite } from "../../session.js";
import { t } from "../../words.js";
import { isClassifier } from "../report/record.js";
import { candidatesOf } from "./candidates.js";
import { Desk } from "./desk.js";
import { saverOf } from "./saver.js";

await styleSheet("labels");

/** @typedef {import("../report/record.js").Task} Task */
/** @typedef {import("../report/record.js").Metrics} Metrics */

/** @param {{route: import("../../router.js").Route}} props */
export function Labels({ route }) {
  const taskId = route.path[1] ?? "";
  const loaded = useLoaded(taskId ? taskPath(taskId) : null);
  return html`
    <h1>${t("labels.title")}</h1>
    ${taskId ? html`<${Shown} of=${loaded}>${(/** @type {Task} */ task) => html`<${OfTask} task=${task} />`}<//>`
      : html`<${Empty}><p>${t("labels.no_task")}</p><p><a href=${link(["now"])}>${t("labels.to_tasks")}</a></p><//>`}`;
}

/** @param {{task: Task}} props */
function OfTask({ task }) {
  const isReady = task.state === "done" && isClassifier(task);
  const metrics = useLoaded(isReady ? taskPath(task.taskId, "artifacts/metrics.json") : null);
  const corrections = useLoaded(isReady ? "v1/corrections" : null, { userId: task.userId, projectDir: task.projectDir });
  const back = html`<p><a href=${link(["tasks", task.taskId, "report"])}>${t("labels.to_report")}</a></p>`;
  if (!isReady) return html`<${Empty}><p>${isClassifier(task) ? t("labels.not_done") : t("labels.of_masks")}</p>${back}<//>`;
  return html`
    <p>${t("labels.about", { project: task.projectId })}</p>
    ${back}
    <${Shown} of=${metrics}>${(/** @type {Metrics} */ found) => html`
      <${Shown} of=${corrections}>${(/** @type {import("./saver.js").Corrections & {problems: string[]}} */ read) => html`
        <${Photos} task=${task} metrics=${found} read=${read} />`}<//>`}<//>`;
}

/** @param {{task: Task, metrics: Metrics, read: import("./saver.js").Corrections & {problems?: string[]}}} props */
function Photos({ task, metrics, read }) {
  const saver = saverOf(task);
  const mayWrite = useMayWrite();
  useEffect(() => saver.load(read), [saver, read]);
  // Photos that are decided on later must not move in the list, so only what was read first counts.
  const photos = useMemo(() => candidatesOf(metrics, read.corrections.map((each) => each.picture)), [metrics]);
  const problems = read.problems ?? [];
  return html`
    ${problems.length > 0 && html`<div class="state stale"><p>${t("labels.problems")}</p>
      <ul>${problems.map((problem) => html`<li>${problem}</li>`)}</ul></div>`}
    ${photos.length === 0 ? html`<${Empty}><p>${t("labels.nothing")}</p><//>`
      : html`<${Desk} ...${{ photos, saver, mayWrite, taskId: task.taskId, labels: metrics.labels }} />`}`;
}
