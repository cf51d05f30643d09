// The report on a folder before anything is trained: whether it can be trained, its classes, and what was found.
import { html } from "../../preact.js";
import { number, t } from "../../words.js";
import { FindingCard } from "./finding_card.js";

/** Only in these trainings does a picture have one class, so that it can be moved to another. */
const WITH_LABELS = ["classification"];
/** Classes whose bars are shown at first. */
const FIRST_CLASSES = 12;
/** A report counts the pictures of so many classes. */
const MOST_COUNTED = 1000;

/**
 * @param {{report: import("./checks.js").CheckView, trainType: string, folder: string,
 *   corrections: import("./use_corrections.js").Corrections}} props
 */
export function FolderReport({ report, trainType, folder, corrections }) {
  const labels = Object.keys(report.counts);
  const count = labels.length;
  const isTrainable = report.trainable;
  return html`
    <p class=${`state ${isTrainable ? "good" : "trouble"}`} role="status">
      <strong>${t(isTrainable ? "start.trainable" : "start.not_trainable")}</strong>
      ${" "}${count >= MOST_COUNTED ? t("start.pictures_in_many_classes", { pictures: report.pictures, classes: count })
        : count > 0 ? t("start.pictures_in_classes", { pictures: report.pictures, classes: count })
        : t("start.count_pictures", { count: report.pictures })}</p>
    ${report.rule && html`<p>${t("start.understood")} ${report.rule}</p>`}
    ${report.findings.map((finding, row) => html`<${FindingCard} key=${`${finding.code} ${row}`} finding=${finding} folder=${folder}
      labels=${WITH_LABELS.includes(trainType) ? labels : []} corrections=${corrections} />`)}
    ${count > 0 && html`<h3>${t("start.class_counts")}</h3><${Counts} counts=${report.counts} />`}`;
}

/** @param {{counts: Record<string, number>}} props */
function Counts({ counts }) {
  const all = Object.entries(counts);
  const most = Math.max(...all.map(([, count]) => count), 1);
  /** @param {[string, number][]} some */
  const table = (some) => html`
    <table class="counts"><thead class="unseen"><tr><th scope="col">${t("start.class_name")}</th>
      <th scope="col">${t("start.photos")}</th></tr></thead>
      <tbody>${some.map(([label, count]) => html`<tr key=${label}><th scope="row"><bdi title=${label}>${label}</bdi></th>
        <td><span class="measure"><span class="count-bar"><span class="fill" style=${{ width: `${(100 * count) / most}%` }}></span></span>
          <span class="figure">${number(count)}</span></span></td></tr>`)}</tbody></table>`;
  return html`
    ${table(all.slice(0, FIRST_CLASSES))}
    ${all.length > FIRST_CLASSES && html`<details><summary>${t("start.other_classes", { count: all.length - FIRST_CLASSES })}</summary>
      ${table(all.slice(FIRST_CLASSES))}</details>`}`;
}
