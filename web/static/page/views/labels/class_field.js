// The field in which a class is typed where there are too many for keys.
import { html, useState } from "../../preact.js";
import { t } from "../../words.js";
import { meantClass } from "./keys.js";

/**
 * @param {{labels: string[], likely: string, field: {current: HTMLElement | null}, choose: (label: string) => void}} props
 *   likely: the class that the photo seems to show, which has a button of its own
 */
export function ClassField({ labels, likely, field, choose }) {
  const [typed, setTyped] = useState("");
  const [said, setSaid] = useState("");
  /** @param {Event} event */
  function submit(event) {
    event.preventDefault();
    const label = meantClass(labels, typed);
    if (label === undefined) setSaid(t("labels.no_class", { typed }));
    else choose(label);
  }
  return html`
    ${likely && html`<button type="button" class="secondary small key" aria-keyshortcuts="1" onClick=${() => choose(likely)}>
      <kbd aria-hidden="true">1</kbd><span>${likely} <span class="hint">${t("labels.seems")}</span></span></button>`}
    <form class="class-field" onSubmit=${submit}>
      <label>${t("labels.class_field")} <kbd aria-hidden="true">c</kbd>
        <input list="label-classes" value=${typed} ref=${field} autocomplete="off" aria-describedby="class-field-said"
          onInput=${(/** @type {any} */ event) => setTyped(event.target.value)} /></label>
      <datalist id="label-classes">${labels.map((label) => html`<option value=${label}></option>`)}</datalist>
      <button type="submit" class="small">${t("labels.set_class")}</button>
    </form>
    <p id="class-field-said" class="refused small" role="status">${said}</p>`;
}
