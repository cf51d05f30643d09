// How the training went.
import { Curve } from "../../parts/curve.js";
import { html, useMemo } from "../../preact.js";
import { finite } from "../../shares.js";
import { named, t } from "../../words.js";
import { Section } from "./section.js";

/** What an epoch has besides curves. */
const NO_CURVE = ["epoch", "seconds"];

/** @param {{metrics: import("./record.js").Metrics}} props */
export function Training({ metrics }) {
  const { history = [], end_reason: reason = "" } = metrics;
  const names = Object.keys(history[0] ?? {}).filter((name) => !NO_CURVE.includes(name));
  const xs = useMemo(() => history.map((epoch) => epoch.epoch), [history]);
  const lines = useMemo(() => names.map((name) => [{ label: named("metric", name), values: history.map((epoch) => finite(epoch[name])) }]),
    [history]);
  return html`
    <${Section} name="training" title=${t("report.training")}>
      <p>${t("report.epochs", { count: history.length })} ${reason && named("end_reason", reason)}</p>
      ${history.length > 1 && html`<div class="curves">${names.map((name, place) => html`
        <${Curve} key=${name} title=${named("metric", name)} xLabel=${t("report.epoch")} xs=${xs} lines=${lines[place]}
          asPercent=${/(accuracy|dice)$/.test(name)} />`)}</div>
        <p class="muted small">${t("report.training_help")}</p>`}
    <//>`;
}
