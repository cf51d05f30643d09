// The overlap of each held-out picture, the worst first.
import { html } from "../../preact.js";
import { t } from "../../words.js";
import { share } from "../../shares.js";
import { PhotoGrid } from "./photo_grid.js";
import { Section } from "./section.js";

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics}} props */
export function MaskScores({ task, metrics }) {
  const name = metrics.score?.name ?? "dice";
  const entries = (metrics.held_out ?? [])
    .map((entry) => ({ file: entry.file, overlap: entry[name] ?? entry.dice }))
    .sort((one, other) => one.overlap - other.overlap || one.file.localeCompare(other.file));
  const middle = entries[Math.floor((entries.length - 1) / 2)];
  /** @type {import("./photo_grid.js").ShownPhoto[]} */
  const photos = entries.map(({ file, overlap }) => ({ file, said: [[t("report.overlap_short"), share(overlap)]] }));
  return html`
    <${Section} name="scores" title=${t("report.mask_scores")}>
      <p>${t("report.mask_scores_help", { middle: share(middle.overlap), worst: share(entries[0].overlap) })}</p>
      <${PhotoGrid} taskId=${task.taskId} photos=${photos} most=${8} />
    <//>`;
}
