// The selected photo, and buttons for all that can be said of it.
import { taskPhoto } from "../../parts/photo.js";
import { html } from "../../preact.js";
import { t } from "../../words.js";
import { ClassField } from "./class_field.js";
import { decisionInWords, whyInWords } from "./in_words.js";

/**
 * @param {{taskId: string, photo: import("./candidates.js").Candidate, labels: string[], keys: Map<string, string>,
 *   decision: import("./saver.js").Decision | null, mayWrite: boolean, canUndo: boolean, field: {current: HTMLElement | null},
 *   decide: (decision: import("./saver.js").Decision | null) => void, undo: () => void, open: () => void}} props
 */
export function Panel({ taskId, photo, labels, keys, decision, mayWrite, canUndo, field, decide, undo, open }) {
  return html`
    <aside class="card panel" aria-label=${t("labels.this_photo")}>
      <img class="preview" src=${taskPhoto(taskId, photo.file, 640)} alt=${photo.file} />
      <div class="what">
        <p class="file small muted" title=${photo.file}>${photo.file}</p>
        ${photo.label && html`<p title=${photo.label}>${t("labels.label_now", { label: photo.label })}</p>`}
        <p title=${photo.likely}>${whyInWords(photo)}</p>
        <p class=${decision ? "verdict good" : "verdict"}>${decisionInWords(decision)}</p>
      </div>
      ${mayWrite && html`<div class="keys">
        <${Key} name="k" press=${() => decide({ action: "keep", label: "" })} pressed=${decision?.action === "keep"}>${t("labels.keep")}<//>
        <${Key} name="x" press=${() => decide({ action: "exclude", label: "" })} pressed=${decision?.action === "exclude"}>
          ${t("labels.exclude")}<//>
        <div class="class-keys" role="group" aria-label=${t("labels.it_shows")}>
          <p class="small muted">${t("labels.it_shows")}</p>
          ${keys.size === 0 ? html`<${ClassField} key=${photo.file} ...${{ labels, field, likely: photo.likely }}
            choose=${(/** @type {string} */ label) => decide({ action: "label", label })} />`
          : [...keys].map(([key, label]) => html`<${Key} name=${key} press=${() => decide({ action: "label", label })}
              pressed=${decision?.action === "label" && decision.label === label}>${label}
              ${label === photo.likely && html` <span class="hint">${t("labels.seems")}</span>`}<//>`)}
        </div>
        <p class="row">
          <button type="button" class="secondary small" disabled=${!canUndo} onClick=${undo}>
            ${t("labels.undo")} <kbd aria-hidden="true">u</kbd></button>
          <button type="button" class="secondary small" onClick=${open}>
            ${t("parts.show_large")} <kbd aria-hidden="true">Enter</kbd></button>
          ${decision && html`<button type="button" class="secondary small" onClick=${() => decide(null)}>${t("labels.take_back")}</button>`}
        </p>
      </div>`}
    </aside>`;
}

/** @param {{name: string, press: () => void, pressed: boolean, children: unknown}} props */
const Key = ({ name, press, pressed, children }) => html`
  <button type="button" class="secondary small key" aria-pressed=${pressed} aria-keyshortcuts=${name} onClick=${press}>
    <kbd aria-hidden="true">${name}</kbd><span>${children}</span></button>`;
