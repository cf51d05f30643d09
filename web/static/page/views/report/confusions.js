// What the model mixes up: in words, as a table, and the photos behind each number.
import { html, useMemo, useState } from "../../preact.js";
import { go } from "../../router.js";
import { number, t } from "../../words.js";
import { CellPhotos } from "./cell_photos.js";
import { share, shortened } from "../../shares.js";
import { Matrix } from "./matrix.js";
import { foundClasses, mixUpsOf, MOST_SHOWN, shownClasses } from "./mix_ups.js";
import { isClassifier } from "./record.js";
import { Section } from "./section.js";

const MOST_SAID = 5;

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics, route: import("./section.js").Route}} props */
export function Confusions({ task, metrics, route }) {
  const { labels, confusion_matrix: matrix = [] } = metrics;
  const mixUps = useMemo(() => mixUpsOf(matrix), [matrix]);
  const [search, setSearch] = useState("");
  const shown = useMemo(() => shownClasses(labels, mixUps, search), [labels, mixUps, search]);
  const unit = isClassifier(task) ? "photos" : "pixels";
  /** @param {number} truth @param {number} answer */
  const open = (truth, answer) => go(route.path, { ...route.query, truth: labels[truth], answer: labels[answer] });
  return html`
    <${Section} name="confusions" title=${t("report.confusions")}>
      ${mixUps.length === 0 ? html`<p class="good">${t("report.no_mix_ups")}</p>`
        : html`<${MostOften} ...${{ labels, matrix, mixUps, unit }} open=${unit === "photos" ? open : null} />`}
      ${labels.length > MOST_SHOWN && html`<${Search} ...${{ labels, search, setSearch, shown }} />`}
      ${shown.length > 0 && html`
        <p class="muted small">${unit === "photos" ? t("report.matrix_help") : t("report.matrix_help_pixels")}</p>
        <${Matrix} ...${{ labels, matrix, shown, unit }} open=${unit === "photos" ? open : undefined} />`}
      ${route.query.truth && html`<${CellPhotos} ...${{ task, metrics, route }} />`}
    <//>`;
}

/**
 * @param {{labels: string[], matrix: number[][], mixUps: import("./mix_ups.js").MixUp[], unit: string,
 *   open: ((truth: number, answer: number) => void) | null}} props
 */
function MostOften({ labels, matrix, mixUps, unit, open }) {
  return html`
    <p>${t("report.most_often")}</p>
    <ul class="mix-ups">${mixUps.slice(0, MOST_SAID).map(({ truth, answer, count }) => {
      const total = matrix[truth].reduce((sum, each) => sum + each, 0);
      const named = { truth: shortened(labels[truth]), answer: shortened(labels[answer]) };
      const text = unit === "photos" ? t("report.taken_for", { ...named, count, total })
        : t("report.taken_for_pixels", { ...named, share: share(count / total) });
      return html`<li>${open ? html`
        <button type="button" class="plain" onClick=${() => open(truth, answer)}>${text}</button>` : text}</li>`;
    })}</ul>`;
}

/** @param {{labels: string[], search: string, setSearch: (search: string) => void, shown: number[]}} props */
function Search({ labels, search, setSearch, shown }) {
  const found = search ? foundClasses(labels, search).length : 0;
  const said = !search ? t("report.mixed_up_most", { shown: shown.length, all: number(labels.length) })
    : found === 0 ? t("report.no_such_class", { search }) : t("report.classes_match", { count: found });
  return html`
    <label class="search">${t("report.find_class")}
      <input type="search" value=${search} onInput=${(/** @type {any} */ event) => setSearch(event.target.value)} /></label>
    <p role="status" class="small">${said}</p>`;
}
