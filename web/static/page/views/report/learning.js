// Whether more photos would help, and of which classes.
import { Curve } from "../../parts/curve.js";
import { html, useMemo } from "../../preact.js";
import { finite } from "../../shares.js";
import { t } from "../../words.js";
import { Section } from "./section.js";

/** @param {{learning: import("./record.js").Learning}} props */
export function LearningCurve({ learning }) {
  const { xs, lines } = useMemo(() => ({
    xs: learning.points.map((point) => point.pictures),
    lines: [
      { label: t("report.recognised_short"), values: learning.points.map((point) => finite(point.accuracy)) },
      { label: t("report.likely_from"), values: learning.points.map((point) => finite(point.low)), color: "--muted" },
      { label: t("report.likely_to"), values: learning.points.map((point) => finite(point.high)), color: "--muted" },
    ],
  }), [learning]);
  return html`
    <${Section} name="learning" title=${t("report.learning")}>
      <p>${learning.sentence}</p>
      ${learning.advice.length > 0 && html`<ul>${learning.advice.map((each) => html`<li>${each.sentence}</li>`)}</ul>`}
      ${xs.length > 1 && html`
        <${Curve} title=${t("report.learning_curve")} xLabel=${t("report.photos_in_folder")} xs=${xs} lines=${lines} asPercent=${true} />
        <p class="muted small">${t("report.learning_help")}</p>`}
    <//>`;
}
