// Whether the probabilities of the model mean what they say.
import { Curve } from "../../parts/curve.js";
import { html, useMemo } from "../../preact.js";
import { number, percent, t } from "../../words.js";
import { finite, share } from "../../shares.js";
import { Section } from "./section.js";

/** @param {{metrics: import("./record.js").Metrics, calibration: import("./record.js").Calibration}} props */
export function CalibrationPart({ metrics, calibration }) {
  const bins = (calibration.after ?? []).filter((bin) => bin.pictures > 0);
  const { xs, lines } = useMemo(() => ({
    xs: bins.map((bin) => Math.round(1000 * bin.confidence) / 10),
    lines: [
      { label: t("report.right_in_fact"), values: bins.map((bin) => finite(bin.accuracy)) },
      { label: t("report.as_said"), values: bins.map((bin) => finite(bin.confidence)), color: "--muted" },
    ],
  }), [calibration]);
  const isCorrected = calibration.temperature !== 1;
  const error = finite(calibration.ece_after);
  return html`
    <${Section} name="calibration" title=${t("report.calibration")}>
      ${error !== null && html`<p>${t("report.calibration_error", { points: points(error) })} ${isCorrected
        ? t("report.corrected", { points: points(calibration.ece_before) }) : t("report.not_corrected")}</p>`}
      <${UnknownWords} unknown=${metrics.unknown} />
      ${xs.length > 1 && html`
        <${Curve} title=${t("report.calibration_curve")} xLabel=${t("report.probability")} xs=${xs} lines=${lines} asPercent=${true} />`}
    <//>`;
}

/** @param {number} error */
const points = (error) => number(100 * error, { maximumFractionDigits: 1 });

/** @param {{unknown: import("./record.js").Metrics["unknown"]}} props */
function UnknownWords({ unknown }) {
  if (!unknown?.threshold) return null;
  const kept = finite(unknown.kept);
  const spotted = finite(unknown.spotted);
  return html`<p>${t("report.unknown_below", { share: percent(unknown.threshold, 1) })}
    ${" "}${kept !== null && t("report.unknown_keeps", { share: share(kept) })}
    ${" "}${spotted !== null && t("report.unknown_spots", { share: share(spotted) })}</p>`;
}
