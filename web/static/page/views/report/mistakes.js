// The mistakes of which the model was surest, and the photos whose labels look wrong.
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { t } from "../../words.js";
import { share } from "../../shares.js";
import { PhotoGrid } from "./photo_grid.js";
import { answersOf, mistakesOf } from "./record.js";
import { Section } from "./section.js";

/** @typedef {import("./photo_grid.js").ShownPhoto} ShownPhoto */

/** Where no label looks wrong, so many photos are shown whose labels are doubted most. */
const MOST_DOUBTED = 4;

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics}} props */
export function Mistakes({ task, metrics }) {
  const wrong = mistakesOf(metrics);
  const all = answersOf(metrics).length;
  /** @type {ShownPhoto[]} */
  const photos = wrong.map(({ file, truth, predicted, probability }) => ({
    file,
    said: [[t("report.is"), truth], [t("report.taken_for_short"), predicted], [t("report.sure"), share(probability)]],
  }));
  return html`
    <${Section} name="mistakes" title=${t("report.mistakes")}>
      ${wrong.length === 0 ? html`<p class="good">${t("report.no_mistakes", { count: all })}</p>`
        : html`<p>${t("report.mistakes_of", { wrong: wrong.length, all })}</p>
          <${PhotoGrid} taskId=${task.taskId} photos=${photos} />`}
    <//>`;
}

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics}} props */
export function Suspects({ task, metrics }) {
  const ranked = metrics.suspect_labels ?? [];
  const named = ranked.filter((suspect) => suspect.named);
  /** @type {ShownPhoto[]} */
  const photos = (named.length ? named : ranked.slice(0, MOST_DOUBTED)).map((suspect) => ({
    file: suspect.file,
    said: [
      [t("report.label"), t("report.label_share", { label: suspect.label, share: share(suspect.label_probability) })],
      [t("report.seems"), t("report.label_share", { label: suspect.likely, share: share(suspect.likely_probability) })],
    ],
  }));
  return html`
    <${Section} name="suspects" title=${t("report.suspects")}>
      <p class=${named.length ? "" : "good"}>${named.length ? t("report.suspects_named", { count: named.length })
        : photos.length ? t("report.suspects_doubted") : t("report.no_suspects")}</p>
      <p><a class="button" href=${link(["labels", task.taskId])}>${t("report.fix_labels")}</a></p>
      <${PhotoGrid} taskId=${task.taskId} photos=${photos} />
    <//>`;
}
