// The course of a training as curves, which grow while it goes on.
import { Curve } from "../../parts/curve.js";
import { html, useMemo } from "../../preact.js";
import { named, t } from "../../words.js";
import { chartsOf, useEpochs } from "./epochs.js";

/** @param {{task: import("./use_task.js").TaskView}} props */
export function Course({ task }) {
  const records = useEpochs(task.taskId);
  const charts = useMemo(() => chartsOf(records), [records]);
  if (charts.length === 0) return null;
  return html`
    <section><h2>${task.state === "processing" ? t("task.course") : t("task.course_was")}</h2>
      <p class="muted small">${t("task.course_means")}</p>
      <div class="task-curves">${charts.map(({ stage, isLoss, xs, lines }) => html`
        <${Curve} key=${`${stage} ${isLoss}`} title=${titleOf(stage, isLoss)} xLabel=${t("task.epoch")} xs=${xs} lines=${lines}
          asPercent=${!isLoss} />`)}
      </div>
    </section>`;
}

/** @param {string} stage @param {boolean} isLoss */
const titleOf = (stage, isLoss) => t(isLoss ? "task.losses_of" : "task.scores_of", { stage: named("phase", stage) });
