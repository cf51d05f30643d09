// One photo as large as the window allows. Escape closes it; the arrow keys lead to the one before and the next one.
import { html, useEffect, useRef, useState } from "../preact.js";
import { t } from "../words.js";
import { styleSheet } from "./style_sheet.js";

await styleSheet("large_photo");

/**
 * @param {{src: string, name: string, close: () => void, previous?: (() => void) | null, next?: (() => void) | null,
 *   children?: unknown}} props children: what is said of the photo
 */
export function LargePhoto({ src, name, close, previous = null, next = null, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [missing, setMissing] = useState("");
  const closer = useRef(/** @type {HTMLButtonElement | null} */ (null));
  useEffect(() => {
    dialog.current?.showModal();
    closer.current?.focus();
  }, []);
  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const act = event.key === "ArrowLeft" ? previous : event.key === "ArrowRight" ? next : null;
    if (!act) return;
    event.preventDefault();
    act();
  }
  return html`
    <dialog class="large-photo" ref=${dialog} onClose=${close} onKeyDown=${onKeyDown} aria-label=${name}>
      <div class="sheet"><figure>
        ${missing === src ? html`<p class="missing">${t("parts.no_photo", { name })}</p>`
          : html`<img src=${src} alt=${name} onError=${() => setMissing(src)} />`}
        <figcaption>${children}</figcaption>
      </figure>
      <footer class="row">
        <button type="button" class="secondary" aria-disabled=${!previous} onClick=${previous}>${t("parts.previous_photo")}</button>
        <button type="button" class="secondary" aria-disabled=${!next} onClick=${next}>${t("parts.next_photo")}</button>
        <button type="button" ref=${closer} onClick=${() => dialog.current?.close()}>${t("parts.close")}</button>
      </footer></div>
    </dialog>`;
}
