// Where a person gives pictures: drop them, paste them, or choose them.
import { html, useEffect, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{add: (files: File[]) => void, children?: unknown}} props children: further buttons */
export function PictureInput({ add, children }) {
  const [isOver, setIsOver] = useState(false);
  const input = useRef(/** @type {HTMLInputElement | null} */ (null));
  const newest = useRef(add);
  newest.current = add;
  useEffect(() => {
    /** @param {ClipboardEvent} event */
    const paste = (event) => {
      const files = picturesOf(event.clipboardData);
      if (files.length) newest.current(files);
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);
  /** @param {DragEvent} event */
  function drop(event) {
    event.preventDefault();
    setIsOver(false);
    const files = picturesOf(event.dataTransfer);
    if (files.length) add(files);
  }
  /** @param {any} event */
  function chosen(event) {
    add([...event.target.files]);
    event.target.value = ""; // Otherwise the same file could not be chosen again.
  }
  return html`
    <div class=${`drop ${isOver ? "over" : ""}`} onDrop=${drop}
      onDragOver=${(/** @type {DragEvent} */ event) => { event.preventDefault(); setIsOver(true); }}
      onDragLeave=${() => setIsOver(false)}>
      <p>${t("try.drop")}</p>
      <p class="row">
        <button type="button" onClick=${() => input.current?.click()}>${t("try.choose")}</button>
        ${children}</p>
      <input ref=${input} type="file" hidden accept="image/*" multiple aria-label=${t("try.choose")} onChange=${chosen} />
    </div>`;
}

/** @param {DataTransfer | null} given */
const picturesOf = (given) => [...(given?.files ?? [])];
