// One class that is collected: its name, its photos, and ways to add more.
import { html, useState } from "../../preact.js";
import { t } from "../../words.js";
import { Camera } from "./camera.js";
import { addToClass, isGoodName, removeClass, removePhoto, renameClass } from "./collection.js";
import { DropPlace } from "../../parts/drop_place.js";
import { FilePicture } from "./file_picture.js";
import { hasEnded } from "./upload_progress.js";

const SHOWN = 12;

/**
 * @param {{of: import("./collection.js").PhotoClass, others: string[], stored: number, isUploading: boolean, mostBytes: number,
 *   outcome?: import("./upload_progress.js").Outcome}} props
 *   others: the names of the other classes. stored: photos of this class that were on the server before.
 */
export function ClassCard({ of, others, stored, isUploading, mostBytes, outcome }) {
  const [isFilming, setIsFilming] = useState(false);
  const ended = of.photos.filter((photo) => hasEnded(photo.key)).length;
  const onServer = (outcome?.stored ?? 0) + (outcome?.duplicates ?? 0);
  const trouble = troubleOf(of.label.trim(), others);
  const id = `class-${of.key}`;
  /** @param {import("../../parts/dropped_files.js").FoundFile[]} found */
  const add = (found) => addToClass(of.key, found.map(({ file }) => file), mostBytes);
  return html`
    <li class="card class-card" aria-label=${of.label}>
      <label>${t("start.class_name")}
        <input value=${of.label} maxlength="100" readonly=${isUploading || ended > 0} autocomplete="off"
          aria-invalid=${trouble ? "true" : null} aria-describedby=${`${id}-hint`}
          onInput=${(/** @type {any} */ event) => renameClass(of.key, event.target.value)} /></label>
      <p class="small ${trouble ? "refused" : "muted"}" id=${`${id}-hint`}>${trouble || countsOf(of.photos.length, stored, outcome)}</p>
      ${ended > 0 && html`<progress max=${of.photos.length} value=${ended} aria-label=${t("start.progress_of", { label: of.label })} />`}
      <${DropPlace} onFound=${add} label=${t("start.drop_for", { label: of.label })} isSmall>
        <${Thumbnails} of=${of} isFixed=${isUploading} /><//>
      ${isFilming ? html`<${Camera} label=${of.label} close=${() => setIsFilming(false)}
          onPhoto=${(/** @type {File} */ file) => addToClass(of.key, [file], Infinity)} />`
        : html`<div class="row"><button type="button" class="secondary small" onClick=${() => setIsFilming(true)}>
            ${t("start.camera")}</button>
          <button type="button" class="plain small" disabled=${isUploading} onClick=${() => removeClass(of, onServer)}>
            ${t("start.remove_class")}</button></div>`}
    </li>`;
}

/** What is wrong with the name of a class; "" if nothing is. @param {string} label @param {string[]} others */
function troubleOf(label, others) {
  if (!label) return t("start.class_unnamed");
  if (!isGoodName(label)) return t("start.class_bad_name");
  return others.includes(label) ? t("start.class_twice") : "";
}

/** @param {number} photos @param {number} stored @param {import("./upload_progress.js").Outcome} [outcome] */
function countsOf(photos, stored, outcome) {
  return [
    t("start.count_pictures", { count: photos }),
    stored ? t("start.count_before", { count: stored }) : "",
    outcome?.stored ? t("start.count_uploaded", { count: outcome.stored }) : "",
    outcome?.duplicates ? t("start.count_duplicates", { count: outcome.duplicates }) : "",
    outcome?.refused ? t("start.count_refused", { count: outcome.refused }) : "",
  ].filter(Boolean).join(" · ");
}

/** @param {{of: import("./collection.js").PhotoClass, isFixed: boolean}} props */
function Thumbnails({ of, isFixed }) {
  // The newest are seen, so a person sees what the camera takes.
  const shown = of.photos.slice(-SHOWN).reverse();
  const more = of.photos.length - shown.length;
  if (shown.length === 0) return html`<p class="muted small">${t("start.class_empty")}</p>`;
  return html`
    <ul class="file-pictures">${shown.map((photo) => html`
      <li key=${photo.key}><${FilePicture} file=${photo.file} />
        ${!isFixed && !hasEnded(photo.key) && html`<button type="button" class="take-away"
          aria-label=${t("start.remove_photo", { name: photo.file.name })} onClick=${() => removePhoto(of.key, photo)}>×</button>`}
      </li>`)}</ul>
    ${more > 0 && html`<p class="muted small">${t("start.and_more", { count: more })}</p>`}`;
}
