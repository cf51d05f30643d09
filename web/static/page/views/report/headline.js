// How good the model is: the score in words, its range, and whether the photos are enough to tell.
import { html } from "../../preact.js";
import { duration, number, t } from "../../words.js";
import { finite, share, shareRange } from "../../shares.js";
import { isClassifier, isHeldBack } from "./record.js";
import { ToSection } from "./section.js";

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics, route: import("./section.js").Route}} props */
export function Headline({ task, metrics, route }) {
  const { score } = metrics;
  return html`
    <section class="card headline" aria-labelledby="report-headline">
      <h2 id="report-headline">${t("report.headline")}</h2>
      ${isHeldBack(task, metrics) && html`<p class="state stale">${t("report.held_back")}
        <${ToSection} route=${route} name="comparison">${t("report.see_comparison")}<//></p>`}
      ${score ? html`<${InWords} task=${task} metrics=${metrics} score=${score} />` : html`<p>${metrics.headline}</p>`}
    </section>`;
}

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics,
 *   score: import("./record.js").Score}} props */
function InWords({ task, metrics, score }) {
  const verdict = score.enough ? t("report.enough", { count: score.pictures }) : t("report.not_enough", { count: score.pictures });
  return html`
    <div class="score">
      <p class="value"><strong>${share(score.value, score.pictures)}</strong>
        <span>${isClassifier(task) ? t("report.recognised") : t("report.overlap")}</span></p>
      <div>
        <p class="sentence">${score.sentence}</p>
        <p class=${score.enough ? "verdict good" : "verdict warn"}>${verdict}</p>
      </div>
    </div>
    <${Scale} score=${score} baseline=${baselineOf(task, metrics)} />
    <dl class="figures">${factsOf(task, metrics, score).map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>`;
}

/** What a model would score that learned nothing. @param {import("./record.js").Task} task
 * @param {import("./record.js").Metrics} metrics */
function baselineOf(task, metrics) {
  const { baseline = {} } = metrics;
  return finite(isClassifier(task) ? baseline.majority_class_accuracy : baseline.all_foreground_dice);
}

/** @param {import("./record.js").Task} task @param {import("./record.js").Metrics} metrics
 * @param {import("./record.js").Score} score @returns {[string, string][]} */
function factsOf(task, metrics, score) {
  const seconds = Object.values(task.stageSeconds).reduce((sum, each) => sum + each, 0);
  const how = score.method === "cross_validation"
    ? t("report.by_folds", { count: score.pictures, folds: score.folds }) : t("report.by_held_out", { count: score.pictures });
  /** @type {[string, string][]} */
  const facts = [
    [t("report.measured"), score.right === null ? how : t("report.right_of", { right: score.right, how })],
    [t("report.trained_on"), t("report.photos", { count: metrics.images?.train ?? 0 })],
    [t("report.classes_found"), number(metrics.labels.length)],
    [t("report.took"), seconds ? duration(seconds) : ""],
  ];
  return facts.filter(([, value]) => value);
}

/** @param {{score: import("./record.js").Score, baseline: number | null}} props */
function Scale({ score, baseline }) {
  const said = [
    t("report.scale_measured", { share: share(score.value, score.pictures) }),
    t("report.scale_likely", { range: shareRange(score.low, score.high) }),
    ...(baseline === null ? [] : [t("report.scale_guessing", { share: share(baseline, score.pictures) })]),
  ];
  return html`
    <div class="scale" role="img" aria-label=${said.join("; ")}>
      <span class="likely" style=${{ left: `${100 * score.low}%`, width: `${100 * (score.high - score.low)}%` }}></span>
      ${baseline !== null && html`<span class="guessing" style=${{ left: `${100 * baseline}%` }}></span>`}
      <span class="measured" style=${{ left: `${100 * score.value}%` }}></span>
    </div>
    <ul class="scale-key small">
      <li class="measured">${said[0]}</li><li class="likely">${said[1]}</li>
      ${said[2] && html`<li class="guessing">${said[2]}</li>`}
    </ul>`;
}
