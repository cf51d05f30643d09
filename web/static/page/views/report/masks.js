// Masks over held-out photos, with one slider for all of them: photo, truth, prediction, difference.
import { ApiError, taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Legend } from "../../parts/legend.js";
import { Shown } from "../../parts/states.js";
import { html, useState } from "../../preact.js";
import { t } from "../../words.js";
import { EXTRA, MISSED } from "./mask_layers.js";
import { MaskPicture } from "./mask_picture.js";
import { Section } from "./section.js";

/** A step of the slider. */
const STEP = 0.1;
const PREDICTION = 2;

/** @param {{task: import("./record.js").Task}} props */
export function Masks({ task }) {
  const loaded = useLoaded(taskPath(task.taskId, "artifacts/held_out_masks.json"));
  const isMissing = loaded.trouble instanceof ApiError && loaded.trouble.code === "no_artifact";
  return html`
    <${Section} name="masks" title=${t("report.masks")}>
      ${isMissing ? html`<p>${t("report.no_masks")}</p>`
        : html`<${Shown} of=${loaded}>${(/** @type {import("./mask_layers.js").ShownMasks} */ masks) => html`
          <${Pictures} task=${task} masks=${masks} />`}<//>`}
    <//>`;
}

/** @param {{task: import("./record.js").Task, masks: import("./mask_layers.js").ShownMasks}} props */
function Pictures({ task, masks }) {
  const [position, setPosition] = useState(PREDICTION);
  const stops = [t("report.photo"), t("report.truth"), t("report.prediction"), t("report.difference")];
  return html`
    <p>${t("report.masks_help")}</p>
    <div class="mask-control card">
      <label>${t("report.slider")}
        <input type="range" min="0" max=${stops.length - 1} step=${STEP} value=${position} aria-valuetext=${inWords(stops, position)}
          onInput=${(/** @type {any} */ event) => setPosition(Number(event.target.value))} /></label>
      <div class="stops" role="group" aria-label=${t("report.slider")}>${stops.map((stop, place) => html`
        <button type="button" class="secondary small" aria-pressed=${position === place}
          onClick=${() => setPosition(place)}>${stop}</button>`)}
      </div>
      <${Colours} masks=${masks} />
    </div>
    <div class="masks">${masks.pictures.map((picture) => html`
      <${MaskPicture} key=${picture.picture} taskId=${task.taskId} ...${{ picture, masks, position }} />`)}</div>`;
}

/** @param {string[]} stops @param {number} position */
function inWords(stops, position) {
  const before = Math.floor(position + STEP / 2);
  if (Math.abs(position - before) < STEP / 2) return stops[before];
  return t("report.between", { from: stops[before], to: stops[before + 1] });
}

/** @param {{masks: import("./mask_layers.js").ShownMasks}} props */
function Colours({ masks }) {
  const entries = [
    ...masks.labels.map((label, number) => ({ label, color: masks.colors[number] })).slice(1),
    { label: t("report.missed"), color: MISSED },
    { label: t("report.extra"), color: EXTRA },
  ];
  return html`<${Legend} title=${t("parts.colours")} entries=${entries} />`;
}
