// The report on a task: how good its model is, what to do next, and why.
import { address, taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { styleSheet } from "../../parts/style_sheet.js";
import { html, useEffect } from "../../preact.js";
import { useRoute } from "../../router.js";
import { durationRange, t } from "../../words.js";
import { CalibrationPart } from "./calibration.js";
import { Classes } from "./classes.js";
import { ComparisonPart } from "./comparison.js";
import { Confusions } from "./confusions.js";
import { Copies } from "./copies.js";
import { Folder } from "./folder.js";
import { Headline } from "./headline.js";
import { LearningCurve } from "./learning.js";
import { MaskScores } from "./mask_scores.js";
import { Masks } from "./masks.js";
import { Mistakes, Suspects } from "./mistakes.js";
import { NextSteps } from "./next_steps.js";
import { isClassifier } from "./record.js";
import { showSection, ToSection } from "./section.js";
import { Training } from "./training.js";

await styleSheet("report");

/** @typedef {import("./record.js").Task} Task */
/** @typedef {import("./record.js").Metrics} Metrics */
/** @typedef {import("./section.js").Route} Route */

/** @param {{task: Task}} props */
export function Report({ task }) {
  const route = useRoute();
  const loaded = useLoaded(task.state === "done" ? taskPath(task.taskId, "artifacts/metrics.json") : null);
  return html`<div class="report">${task.state !== "done" ? html`<${WithoutModel} task=${task} route=${route} />`
    : html`<${Shown} of=${loaded} what=${t("report.loading")}>${(/** @type {Metrics} */ metrics) => html`
      <${OfModel} task=${task} metrics=${metrics} route=${route} />`}<//>`}</div>`;
}

/** What there is to say before a model is done, or where there is none. @param {{task: Task, route: Route}} props */
function WithoutModel({ task, route }) {
  const range = task.etaRangeSeconds;
  const said = {
    pending: t("report.not_yet"), processing: t("report.not_yet"),
    failed: t("report.failed"), cancelled: t("report.cancelled"), done: "",
  }[task.state];
  return html`
    <${Empty}>
      <p>${said} ${range && t("report.ready_in", { range: durationRange(range) })}</p>
      ${(task.state === "pending" || task.state === "processing") && html`<p>${t("report.what_comes")}</p>`}
      ${task.error && html`<p>${task.error}</p>`}
    <//>
    ${task.dataReport && html`
      <${NextSteps} task=${task} metrics=${null} route=${route} sections=${["folder"]} />
      <${Folder} task=${task} metrics=${null} />`}`;
}

/**
 * The sections that there is something to show in, in their order.
 *
 * @param {Task} task @param {Metrics} metrics @param {Route} route @returns {[string, string, unknown][]}
 */
function sectionsOf(task, metrics, route) {
  const ofClasses = isClassifier(task);
  const { confusion_matrix: matrix, per_class: perClass, copies, calibration, comparison } = metrics;
  const learning = metrics.learning_curve;
  /** @type {[unknown, string, string, () => unknown][]} */
  const sections = [
    [!ofClasses, "masks", t("report.masks"), () => html`<${Masks} task=${task} />`],
    [!ofClasses && metrics.held_out?.length, "scores", t("report.mask_scores"), () => html`<${MaskScores} ...${{ task, metrics }} />`],
    [matrix?.length, "confusions", t("report.confusions"), () => html`<${Confusions} ...${{ task, metrics, route }} />`],
    [perClass && Object.keys(perClass).length, "classes", t("report.classes"), () => html`<${Classes} metrics=${metrics} />`],
    [ofClasses && metrics.held_out, "mistakes", t("report.mistakes"), () => html`<${Mistakes} ...${{ task, metrics }} />`],
    [ofClasses && metrics.suspect_labels, "suspects", t("report.suspects"), () => html`<${Suspects} ...${{ task, metrics }} />`],
    [copies?.length, "copies", t("report.copies"), () => html`<${Copies} task=${task} groups=${copies} />`],
    [learning, "learning", t("report.learning"), () => html`<${LearningCurve} learning=${learning} />`],
    [calibration, "calibration", t("report.calibration"), () => html`<${CalibrationPart} ...${{ metrics, calibration }} />`],
    [comparison, "comparison", t("report.comparison"), () => html`<${ComparisonPart} ...${{ task, comparison }} />`],
    [true, "folder", t("report.folder"), () => html`<${Folder} ...${{ task, metrics }} />`],
    [true, "training", t("report.training"), () => html`<${Training} metrics=${metrics} />`],
  ];
  return sections.filter(([isThere]) => isThere).map(([, name, title, draw]) => [name, title, draw()]);
}

/** @param {{task: Task, metrics: Metrics, route: Route}} props */
function OfModel({ task, metrics, route }) {
  useEffect(() => {
    if (route.query.section) showSection(route.query.section);
  }, [route.query.section]);
  const sections = sectionsOf(task, metrics, route);
  return html`
    <${Headline} ...${{ task, metrics, route }} />
    <nav class="contents" aria-label=${t("report.contents")}><ul>${[["next", t("report.next")], ...sections].map(([name, title]) => html`
      <li><${ToSection} route=${route} name=${name}>${title}<//></li>`)}
      <li><a href=${address(taskPath(task.taskId, "report"))} target="_blank" rel="noopener">${t("report.printable")}</a></li></ul></nav>
    <${NextSteps} ...${{ task, metrics, route }} sections=${sections.map(([name]) => name)} />
    ${sections.map(([, , section]) => section)}`;
}
