// A place for dropped files, with buttons that choose them instead.
import { html, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";
import { chosenFiles, droppedFiles } from "./dropped_files.js";
import { ACCEPTED } from "./picture_kinds.js";

/** @typedef {import("./dropped_files.js").FoundFile} FoundFile */

/**
 * @param {{onFound: (found: FoundFile[]) => void, label: string, children?: unknown, withFolders?: boolean,
 *   isSmall?: boolean}} props
 *   label: what is chosen, for those who cannot see the place. withFolders: whether folders can be chosen as well.
 */
export function DropZone({ onFound, label, children, withFolders = false, isSmall = false }) {
  const [isOver, setIsOver] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  /** @param {DragEvent} event */
  async function onDrop(event) {
    event.preventDefault();
    event.stopPropagation();
    setIsOver(false);
    if (!event.dataTransfer) return;
    setIsBusy(true);
    try {
      onFound(await droppedFiles(event.dataTransfer));
    } finally {
      setIsBusy(false);
    }
  }
  /** @param {DragEvent} event */
  function onDragOver(event) {
    event.preventDefault(); // Without this the browser would show the dropped photo instead of the page.
    setIsOver(true);
  }
  return html`
    <div class=${`drop-place ${isOver ? "over" : ""} ${isSmall ? "small-drop" : ""}`} role="group" aria-label=${label} aria-busy=${isBusy}
      onDragOver=${onDragOver} onDragLeave=${() => setIsOver(false)} onDrop=${onDrop}>
      ${children}
      <div class="row">
        <${FileButton} onFound=${onFound} label=${t("start.choose_photos")} isSmall=${isSmall} />
        ${withFolders && html`<${FileButton} onFound=${onFound} label=${t("start.choose_folder")} isFolder />`}
      </div>
    </div>`;
}

/** @param {{onFound: (found: FoundFile[]) => void, label: string, isFolder?: boolean, isSmall?: boolean}} props */
function FileButton({ onFound, label, isFolder = false, isSmall = false }) {
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  /** @param {Event} event */
  function onChange(event) {
    const chosen = /** @type {HTMLInputElement} */ (event.target);
    if (chosen.files) onFound(chosenFiles(chosen.files));
    chosen.value = ""; // The same files can be chosen again.
  }
  return html`
    <button type="button" class=${`secondary ${isSmall ? "small" : ""}`} onClick=${() => input.current?.click()}>${label}</button>
    <input ref=${input} type="file" hidden multiple accept=${isFolder ? null : ACCEPTED} webkitdirectory=${isFolder}
      aria-label=${label} onChange=${onChange} />`;
}
