// The photos as a list in which the arrow keys move.
import { taskPhoto } from "../../parts/photo.js";
import { html, useEffect, useState } from "../../preact.js";
import { t } from "../../words.js";
import { decisionInWords, whyInWords } from "./in_words.js";

/** @typedef {import("./candidates.js").Candidate} Candidate */
/** @typedef {import("./saver.js").Saver} Saver */

/**
 * The photo that the keys move to, or undefined for other keys.
 *
 * @param {string} key @param {number} at @param {number} count @param {number} columns
 */
function moved(key, at, count, columns) {
  const step = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns }[key];
  if (step !== undefined) return at + step >= 0 && at + step < count ? at + step : at;
  return { Home: 0, End: count - 1 }[key];
}

/**
 * @param {{taskId: string, photos: Candidate[], saver: Saver, at: number, select: (at: number) => void,
 *   press: (key: string) => boolean, list: {current: HTMLElement | null}}} props
 *   at: the selected photo. press: takes a key that is no move, and says whether it meant something
 */
export function Grid({ taskId, photos, saver, at, select, press, list }) {
  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const to = moved(event.key, at, photos.length, columnsOf(list.current));
    if (to !== undefined) select(to);
    if (to === undefined && !press(event.key)) return;
    event.preventDefault();
  }
  useEffect(() => {
    if (!list.current?.contains(document.activeElement)) return;
    /** @type {HTMLElement | undefined} */ (list.current.children[at])?.focus();
  }, [at]);
  return html`
    <ul class="photos label-grid" role="listbox" aria-label=${t("labels.photos")} ref=${list} onKeyDown=${onKeyDown}>
      ${photos.map((photo, place) => html`<${Option} key=${photo.file} ...${{ taskId, photo, saver }}
        isHere=${place === at} choose=${() => select(place)} open=${() => press("Enter")} />`)}
    </ul>`;
}

/** How many photos stand side by side. @param {HTMLElement | null} list */
function columnsOf(list) {
  const options = /** @type {HTMLElement[]} */ ([...(list?.children ?? [])]);
  const second = options.findIndex((option) => option.offsetTop > options[0].offsetTop);
  return second < 0 ? Math.max(1, options.length) : second;
}

/**
 * @param {{taskId: string, photo: Candidate, saver: Saver, isHere: boolean, choose: () => void, open: () => void}} props
 */
function Option({ taskId, photo, saver, isHere, choose, open }) {
  const [isMissing, setIsMissing] = useState(false);
  const decision = saver.decisionOf(photo.file);
  const refusal = saver.refused.get(photo.file);
  return html`
    <li role="option" aria-selected=${isHere} tabindex=${isHere ? 0 : -1} title=${photo.file}
      class=${decision ? `decided ${decision.action}` : ""} onClick=${choose} onDblClick=${open} onFocus=${isHere ? null : choose}>
      ${isMissing ? html`<span class="missing">${t("parts.no_photo", { name: photo.file })}</span>`
        : html`<img src=${taskPhoto(taskId, photo.file)} alt=${photo.file}
            loading="lazy" decoding="async" onError=${() => setIsMissing(true)} />`}
      ${photo.label && html`<span class="now">${t("labels.label_now", { label: photo.label })}</span>`}
      <span class="why">${whyInWords(photo)}</span>
      <span class=${decision ? "decision" : "unseen"}>${decisionInWords(decision)}</span>
      ${saver.unsaved.has(photo.file) && html`<span class="unsaved">${t("labels.unsaved")}</span>`}
      ${refusal && html`<span class="refused">${refusal}</span>`}
    </li>`;
}
