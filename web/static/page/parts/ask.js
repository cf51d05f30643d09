// A question before something is changed. It says what will happen.
import { html, useEffect, useRef, useState } from "../preact.js";
import { t } from "../words.js";

/**
 * A button that asks before it acts. The dialog stays open while the action runs, and shows why it failed.
 *
 * @param {{label: string, title: string, consequence: unknown, act: () => Promise<unknown>, confirm?: string,
 *   isDangerous?: boolean, disabled?: boolean, children?: unknown}} props
 *   label: of the button. title: the question. consequence: what will happen. confirm: the button that does it.
 *   children: further fields of the dialog.
 */
export function Ask({ label, title, consequence, act, confirm = label, isDangerous = false, disabled = false, children }) {
  const [isOpen, setIsOpen] = useState(false);
  return html`
    <button type="button" class=${isDangerous ? "danger" : ""} disabled=${disabled}
      onClick=${() => setIsOpen(true)}>${label}</button>
    ${isOpen && html`<${Question} ...${{ title, consequence, act, confirm, isDangerous, children }}
      close=${() => setIsOpen(false)} />`}`;
}

/**
 * @param {{title: string, consequence: unknown, act: () => Promise<unknown>, confirm: string, isDangerous: boolean,
 *   close: () => void, children?: unknown}} props
 */
function Question({ title, consequence, act, confirm, isDangerous, close, children }) {
  const dialog = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const [isBusy, setIsBusy] = useState(false);
  const [trouble, setTrouble] = useState("");
  useEffect(() => dialog.current?.showModal(), []);
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setIsBusy(true);
    setTrouble("");
    try {
      await act();
      dialog.current?.close();
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
      setIsBusy(false);
    }
  }
  return html`
    <dialog ref=${dialog} onClose=${close} aria-labelledby="question-title">
      <form class="question" onSubmit=${submit}>
        <h2 id="question-title">${title}</h2>
        <p>${consequence}</p>
        ${children}
        <p class="refused" role="alert">${trouble}</p>
        <footer>
          <button type="button" class="secondary" onClick=${() => dialog.current?.close()}>${t("ask.no")}</button>
          <button type="submit" class=${isDangerous ? "danger" : ""} aria-busy=${isBusy} disabled=${isBusy}>${confirm}</button>
        </footer>
      </form>
    </dialog>`;
}
