// How the folder was understood: its layout, the photos of each class, what was left out, and what else was found.
import { DataTable } from "../../parts/data_table.js";
import { html } from "../../preact.js";
import { named, number, t } from "../../words.js";
import { Track } from "./meter.js";
import { useMore } from "./more.js";
import { NamedFiles } from "./named_files.js";
import { Section } from "./section.js";

const MOST_CLASSES = 12;
const MOST_SKIPPED = 20;

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics | null}} props metrics: null without a model */
export function Folder({ task, metrics }) {
  const report = task.dataReport;
  const findings = (report?.findings ?? []).filter((finding) => finding.severity === "info" && finding.code !== "more_pictures");
  const split = Object.entries((Object.keys(report?.split ?? {}).length ? report?.split : metrics?.images) ?? {});
  return html`
    <${Section} name="folder" title=${t("report.folder")}>
      ${report?.rule && html`<p>${report.rule}</p>`}
      <dl class="figures">
        ${report && html`<div><dt>${t("report.photos_found")}</dt><dd>${number(report.pictures)}</dd></div>`}
        ${split.map(([name, count]) => html`<div><dt>${named("split", name)}</dt><dd>${number(count)}</dd></div>`)}
        <div><dt>${t("report.left_out")}</dt><dd>${number(report?.skippedFiles ?? metrics?.skipped?.length ?? 0)}</dd></div>
      </dl>
      <${ClassCounts} counts=${metrics?.images_per_class ?? report?.counts ?? {}} />
      <${Skipped} skipped=${metrics?.skipped ?? []} />
      ${findings.length > 0 && html`<h3>${t("report.also_found")}</h3>
        <ul>${findings.map((finding) => html`<li><p>${finding.sentence} ${finding.cure}</p>
          <${NamedFiles} taskId=${task.taskId} finding=${finding} /></li>`)}</ul>`}
    <//>`;
}

/** @param {{counts: Record<string, number>}} props */
function ClassCounts({ counts }) {
  const all = Object.entries(counts).sort((one, other) => one[1] - other[1] || one[0].localeCompare(other[0]));
  const most = Math.max(1, ...all.map(([, count]) => count));
  const { shown, button } = useMore(all, MOST_CLASSES);
  if (all.length < 2) return null;
  return html`
    <h3>${t("report.photos_of_class")}</h3>
    <${DataTable} name="data" title=${t("report.photos_of_class")} heads=${[t("report.class"), t("report.photos_head")]}>
      ${shown.map(([label, count]) => html`<tr key=${label}><th scope="row"><bdi class="name" title=${label}>${label}</bdi></th>
        <td><span class="meter"><${Track} value=${count / most} /><span class="figure">${number(count)}</span></span></td></tr>`)}<//>
    ${button}`;
}

/** @param {{skipped: {file: string, reason: string}[]}} props */
function Skipped({ skipped }) {
  const { shown, button } = useMore(skipped, MOST_SKIPPED);
  if (skipped.length === 0) return null;
  return html`
    <h3>${t("report.skipped")}</h3>
    <${DataTable} name="data" title=${t("report.skipped")} heads=${[t("report.file"), t("report.reason")]}>
      ${shown.map(({ file, reason }) => html`
        <tr key=${file}><th scope="row" class="file">${file}</th><td>${reason}</td></tr>`)}<//>
    ${button}`;
}
