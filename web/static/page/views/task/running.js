// What goes on with a task that is being trained, in words and as a bar.
import { useLoaded } from "../../loading.js";
import { Bar } from "../../parts/bar.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { durationRange, named, t, time } from "../../words.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */
/** @typedef {import("../../api.js").Schemas["WorkerList"]} WorkerList */

/** @param {{task: TaskView}} props */
export const Running = ({ task }) => html`
  <section class="task-now card" aria-label=${t("task.now")}>
    <p class="unseen" role="status">${stageOf(task)}</p>
    <p class="task-going">${goingOn(task)}</p>
    <${Bar} progress=${task.progress} label=${t("task.progress")} />
    <p>${timeLeft(task)}</p>
    <p class="muted small"><${WhoTrains} task=${task} /></p>
    ${task.modelPath && html`<p>${t("task.first_model")} <a href=${link(["try", task.taskId])}>${t("task.try")}</a></p>`}
  </section>`;

/** The stage of the training in plain words. @param {TaskView} task */
function stageOf(task) {
  if (task.cancelRequested) return t("task.being_cancelled");
  if (task.stopRequested) return t("task.being_stopped");
  const phase = task.phase.replace(/^first_/, "");
  const words = named("phase", phase || "starting");
  return phase === task.phase ? words : t("task.for_first_model", { phase: words });
}

/** @param {TaskView} task */
function goingOn(task) {
  const stage = stageOf(task);
  return task.epochsMax > 0 ? t("task.stage_epoch", { stage, epoch: task.epoch, most: task.epochsMax }) : stage;
}

/** @param {TaskView} task */
function timeLeft(task) {
  if (!task.etaRangeSeconds) return t("task.time_unknown");
  const [low, high] = task.etaRangeSeconds;
  return high < 10 ? t("task.seconds_left") : t("task.time_left", { range: durationRange([low, high]) });
}

/** @param {{task: TaskView}} props */
function WhoTrains({ task }) {
  const workers = /** @type {import("../../loading.js").Loaded<WorkerList>} */ (useLoaded("v1/workers"));
  const worker = workers.data?.workers.find((each) => each.name === task.thread);
  const devices = worker?.devices.join(", ");
  const since = time(task.startedAt);
  return devices ? t("task.worker_on", { worker: task.thread, devices, since }) : t("task.worker", { worker: task.thread, since });
}
