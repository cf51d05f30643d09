// A place for dropped files, with buttons that choose them instead.
import { html, useEffect, useRef, useState } from "../preact.js";
import { t } from "../words.js";
import { chosenFiles, droppedFiles } from "./dropped_files.js";
import { ACCEPTED } from "./picture_kinds.js";

/** @typedef {import("./dropped_files.js").FoundFile} FoundFile */

/** A photo that is dropped beside its place must not replace the page. @param {DragEvent} event */
const refuse = (event) => event.preventDefault();

/**
 * @param {{onFound: (found: FoundFile[]) => void, label: string, children?: unknown, buttons?: unknown,
 *   withFolders?: boolean, isSmall?: boolean}} props
 *   label: what is chosen, for those who cannot see the place. buttons: further ones beside those that choose files.
 *   withFolders: whether folders can be chosen as well.
 */
export function DropPlace({ onFound, label, children, buttons, withFolders = false, isSmall = false }) {
  const [isOver, setIsOver] = useState(false);
  const [isBusy, setIsBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    addEventListener("dragover", refuse);
    addEventListener("drop", refuse);
    return () => {
      removeEventListener("dragover", refuse);
      removeEventListener("drop", refuse);
    };
  }, []);
  /** @param {DragEvent} event */
  async function onDrop(event) {
    event.preventDefault();
    event.stopPropagation();
    setIsOver(false);
    if (!event.dataTransfer) return;
    setIsBusy(true);
    setTrouble("");
    try {
      onFound(await droppedFiles(event.dataTransfer));
    } catch {
      setTrouble(t("parts.cannot_read_drop")); // A file was moved or deleted since, or the browser may not read it.
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
        <${FileButton} onFound=${onFound} label=${t("parts.choose_photos")} isSmall=${isSmall} />
        ${withFolders && html`<${FileButton} onFound=${onFound} label=${t("parts.choose_folder")} isFolder />`}
        ${buttons}
      </div>
      ${trouble && html`<p class="refused" role="alert">${trouble}</p>`}
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
