// The section that says what to do next.
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { t } from "../../words.js";
import { useMore } from "./more.js";
import { NamedFiles } from "./named_files.js";
import { Section, ToSection } from "./section.js";
import { nextSteps } from "./steps.js";

const MOST_STEPS = 8;

/**
 * @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics | null, route: import("./section.js").Route,
 *   sections: string[]}} props sections: those that are there
 */
export function NextSteps({ task, metrics, route, sections }) {
  const { shown, button } = useMore(nextSteps(task, metrics), MOST_STEPS);
  return html`
    <${Section} name="next" title=${t("report.next")}>
      ${shown.length === 0 ? html`<p class="good">${metrics ? t("report.nothing_stands_out") : t("report.nothing_found")}</p>`
        : html`<ol class="steps">${shown.map((step) => html`
            <li class=${`step-${step.tone}`}>
              <p><strong>${step.text}</strong></p>
              ${step.cure && html`<p>${step.cure}</p>`}
              <p class="row">
                ${step.fix && metrics && html`<a class="button" href=${link(["labels", task.taskId])}>${t("report.fix_labels")}</a>`}
                ${sections.includes(step.see) && html`<${ToSection} route=${route} name=${step.see}>${t("report.show_me")}<//>`}
              </p>
              ${step.finding && html`<${NamedFiles} taskId=${task.taskId} finding=${step.finding} />`}
            </li>`)}</ol>`}
      ${button}
    <//>`;
}
