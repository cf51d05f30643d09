// Photos that look the same, and series of one object.
import { html } from "../../preact.js";
import { named, number, t } from "../../words.js";
import { PhotoGrid } from "./photo_grid.js";
import { Section } from "./section.js";

/** Findings about copies for which nothing is to be done; the others stand among the next steps. */
const SAID_HERE = ["duplicates_exact", "duplicates_near", "series", "grouped_split"];

/** @param {{task: import("./record.js").Task, groups: import("./record.js").CopyGroup[]}} props */
export function Copies({ task, groups }) {
  const findings = (task.dataReport?.findings ?? []).filter((each) => each.severity === "info" && SAID_HERE.includes(each.code));
  return html`
    <${Section} name="copies" title=${t("report.copies")}>
      ${findings.length === 0 ? html`<p>${t("report.copies_help")}</p>`
        : findings.map((finding) => html`<p>${finding.sentence} ${finding.cure}</p>`)}
      ${groups.map((group) => html`
        <h3>${named("copies", group.code)}: ${t("report.photos", { count: group.count })}</h3>
        ${group.count > group.files.length && html`<p class="muted small">
          ${t("report.first_of_group", { shown: group.files.length, all: number(group.count) })}</p>`}
        <${PhotoGrid} taskId=${task.taskId} photos=${group.files.map((file) => ({ file }))} />`)}
    <//>`;
}
