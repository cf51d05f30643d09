// What can be done with a task now. What cannot be done is not shown.
import { post, remove, taskPath } from "../../api.js";
import { Ask } from "../../parts/ask.js";
import { Promote } from "../../parts/promote.js";
import { html } from "../../preact.js";
import { useMayWrite } from "../../session.js";
import { t } from "../../words.js";
import { useProject } from "./project.js";
import { TrainAgain } from "./train_again.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** @param {{task: TaskView, reload: () => void}} props */
export function Actions({ task, reload }) {
  const mayWrite = useMayWrite();
  if (!mayWrite) return null;
  const hasEnded = !["pending", "processing"].includes(task.state);
  return html`
    <div class="row task-actions">
      ${hasEnded ? html`<${TrainAgain} task=${task} /><${MakeLatest} task=${task} />`
        : html`<${Stop} task=${task} reload=${reload} /><${Cancel} task=${task} reload=${reload} />`}
    </div>`;
}

/** @param {{task: TaskView, reload: () => void}} props */
function Stop({ task, reload }) {
  if (task.state !== "processing" || task.cancelRequested || task.stopRequested) return null;
  return html`<${Ask} label=${t("task.stop")} title=${t("task.stop_question")} consequence=${t("task.stop_means")}
    act=${() => post(taskPath(task.taskId, "stop")).then(reload)} />`;
}

/** @param {{task: TaskView, reload: () => void}} props */
function Cancel({ task, reload }) {
  if (task.cancelRequested) return html`<p class="muted">${t("task.being_cancelled")}</p>`;
  const means = task.state === "pending" ? t("task.cancel_waiting_means") : t("task.cancel_means");
  return html`
    ${task.stopRequested && html`<p class="muted">${t("task.being_stopped")}</p>`}
    <${Ask} label=${t("task.cancel")} title=${t("task.cancel_question")} consequence=${means} isDangerous
      act=${() => remove(taskPath(task.taskId)).then(reload)} />`;
}

/** @param {{task: TaskView}} props */
function MakeLatest({ task }) {
  const project = useProject(task);
  const isLatest = project.data?.latest?.taskId === task.taskId;
  if (task.state !== "done" || !project.data || isLatest) return null;
  return html`<${Promote} task=${task} reload=${project.reload} />`;
}
