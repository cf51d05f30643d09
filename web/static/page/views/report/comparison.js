// Whether the model is better than the one that was in use before it.
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { number, t } from "../../words.js";
import { share } from "../../shares.js";
import { Section } from "./section.js";

/** @param {{task: import("./record.js").Task, comparison: import("./record.js").Comparison}} props */
export function ComparisonPart({ task, comparison }) {
  const { pictures, with_task: before } = comparison;
  /** @type {[string, unknown][]} */
  const facts = [
    [t("report.score_now"), share(comparison.score_now, pictures)],
    [t("report.score_before"), share(comparison.score_before, pictures)],
    [t("report.compared_on"), t("report.photos", { count: pictures })],
    [t("report.now_only"), number(comparison.now_only_right)],
    [t("report.before_only"), number(comparison.before_only_right)],
    [t("report.came_into_use"), task.promoted ? t("report.yes") : t("report.stayed_before")],
  ];
  return html`
    <${Section} name="comparison" title=${t("report.comparison")}>
      <p>${comparison.sentence}</p>
      <dl class="figures">${facts.map(([name, value]) => html`<div><dt>${name}</dt><dd>${value}</dd></div>`)}</dl>
      <p class="row"><a href=${link(["tasks", before])}>${t("report.to_model_before")}</a>
        <a href=${link(["compare"], { tasks: `${before},${task.taskId}` })}>${t("report.compare_them")}</a></p>
    <//>`;
}
