// Each class with its range, and whether there are enough photos to tell.
import { DataTable } from "../../parts/data_table.js";
import { html, useState } from "../../preact.js";
import { finite } from "../../shares.js";
import { percent, t } from "../../words.js";
import { Meter } from "./meter.js";
import { useMore } from "./more.js";
import { Section } from "./section.js";

const MOST_CLASSES = 20;
/** From so many classes on there is a field to search for one. */
const SEARCHED_FROM = 12;

/**
 * One row. value: null if nothing tested it. right: of a classifier, how many of its answers with this class are right.
 *
 * @typedef {{label: string, size: string, value: number | null, low: number | null, high: number | null, pictures: number,
 *   right: {value: number, low: number | null, high: number | null, pictures: number} | null, verdict: string}} Row
 */

/** @param {import("./record.js").ClassScore} entry @returns {Row} */
const ofClassifier = (entry) => ({
  label: entry.label,
  size: t("report.photos", { count: entry.support }),
  value: entry.support ? entry.recall : null,
  low: finite(entry.recall_low),
  high: finite(entry.recall_high),
  pictures: entry.support,
  right: entry.predicted ? { value: entry.precision, low: finite(entry.precision_low), high: finite(entry.precision_high),
    pictures: entry.predicted } : null,
  verdict: !entry.support ? t("report.not_tested") : entry.verdict ? t("report.too_few_to_tell") : t("report.enough_to_tell"),
});

/** @param {string} label @param {import("./record.js").MaskScore} entry @param {number} pixels of all classes @returns {Row} */
const ofSegmenter = (label, entry, pixels) => ({
  label,
  size: t("report.of_pixels", { share: percent(entry.pixels / (pixels || 1)) }),
  value: entry.pixels ? entry.dice : null,
  low: finite(entry.dice_low),
  high: finite(entry.dice_high),
  pictures: 0,
  right: null,
  verdict: !entry.pixels ? t("report.not_tested") : entry.verdict ? t("report.too_few_to_tell") : t("report.enough_to_tell"),
});

/** @param {import("./record.js").Metrics} metrics @returns {Row[]} */
function rowsOf({ per_class: perClass = [] }) {
  if (Array.isArray(perClass)) return perClass.map(ofClassifier);
  const pixels = Object.values(perClass).reduce((sum, entry) => sum + entry.pixels, 0);
  return Object.entries(perClass).map(([label, entry]) => ofSegmenter(label, entry, pixels));
}

/** @param {{metrics: import("./record.js").Metrics}} props */
export function Classes({ metrics }) {
  const [search, setSearch] = useState("");
  const all = rowsOf(metrics).sort((one, other) => (one.value ?? 2) - (other.value ?? 2) || one.label.localeCompare(other.label));
  const wanted = search.trim().toLowerCase();
  const { shown, button } = useMore(all.filter((row) => row.label.toLowerCase().includes(wanted)), MOST_CLASSES);
  const isOfMasks = !Array.isArray(metrics.per_class);
  const figures = isOfMasks ? [t("report.overlap")] : [t("report.found"), t("report.right_when_named")];
  const heads = [t("report.class"), ...figures, t("report.verdict")];
  return html`
    <${Section} name="classes" title=${t("report.classes")}>
      <p class="muted small">${isOfMasks ? t("report.classes_help_masks") : t("report.classes_help")}</p>
      ${all.length > SEARCHED_FROM && html`<label class="search">${t("report.find_class")}
        <input type="search" value=${search} onInput=${(/** @type {any} */ event) => setSearch(event.target.value)} /></label>`}
      ${shown.length === 0 ? html`<p role="status">${t("report.no_such_class", { search })}</p>` : html`
        <${DataTable} name="data" title=${t("report.classes")} heads=${heads}>
          ${shown.map((row) => html`<tr key=${row.label}>
            <th scope="row"><bdi class="name" title=${row.label}>${row.label}</bdi><span class="muted">${row.size}</span></th>
            <td>${row.value === null ? t("report.not_tested") : html`<${Meter} ...${row} />`}</td>
            ${!isOfMasks && html`<td>${row.right ? html`<${Meter} ...${row.right} />` : t("report.never_named")}</td>`}
            <td>${row.verdict}</td></tr>`)}<//>`}
      ${button}
    <//>`;
}
