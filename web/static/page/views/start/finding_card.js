// One thing that was found in the folder, with its photos and what a click can do about it.
import { Photo, folderPhoto } from "../../parts/photo.js";
import { html, useState } from "../../preact.js";
import { named, t } from "../../words.js";
import { looksLikePicture } from "../../parts/picture_kinds.js";

/** Findings that tell what the corrections do already. */
const ABOUT_CORRECTIONS = ["corrections"];

/**
 * @param {{finding: import("../../api.js").Schemas["Finding"], folder: string, labels: string[],
 *   corrections: import("./use_corrections.js").Corrections}} props
 */
export function FindingCard({ finding, folder, labels, corrections }) {
  const { severity, sentence, cure } = finding;
  const files = finding.files ?? [];
  const count = finding.count ?? 0;
  const pictures = files.filter((name) => looksLikePicture({ name: name.slice(name.lastIndexOf("/") + 1) }));
  const hasCures = pictures.length > 0 && !ABOUT_CORRECTIONS.includes(finding.code);
  const others = files.filter((name) => !pictures.includes(name));
  return html`
    <article class=${`card finding ${severity}`}>
      <p><span class=${`tag ${severity}`}>${named("severity", severity)}</span> ${sentence} ${cure}</p>
      ${hasCures ? html`<${Cures} pictures=${pictures} folder=${folder} labels=${labels} corrections=${corrections} />`
        : pictures.length > 0 && html`<ul class="photos small-photos">${pictures.map((name) => html`<li key=${name}>
            <${Photo} src=${folderPhoto(`${folder}/${name}`)} name=${name} isNamed>${name}<//></li>`)}</ul>`}
      ${others.length > 0 && html`<ul class="small names">${others.map((name) => html`<li key=${name}><bdi>${name}</bdi></li>`)}</ul>`}
      ${count > files.length && files.length > 0 && html`<p class="muted small">
        ${t("start.first_files", { shown: files.length, count })}</p>`}
    </article>`;
}

/**
 * The photos of a finding, all of them chosen at first, and what can be said of them.
 *
 * @param {{pictures: string[], folder: string, labels: string[], corrections: import("./use_corrections.js").Corrections}} props
 */
function Cures({ pictures, folder, labels, corrections }) {
  const [unchosen, setUnchosen] = useState(/** @type {string[]} */ ([]));
  const [label, setLabel] = useState("");
  const chosen = pictures.filter((name) => !unchosen.includes(name));
  const isOff = chosen.length === 0 || corrections.isBusy;
  /** @param {import("./use_corrections.js").Action} action @param {string} [to] */
  const say = (action, to) => corrections.apply(chosen.map((picture) => ({ picture, action, ...(to ? { label: to } : {}) })));
  /** @param {string} name */
  const toggle = (name) => setUnchosen(unchosen.includes(name) ? unchosen.filter((each) => each !== name) : [...unchosen, name]);
  return html`
    <ul class="photos small-photos">${pictures.map((name) => html`<li key=${name}>
      <${Photo} src=${folderPhoto(`${folder}/${name}`)} name=${name} isNamed><label class="pick">
        <input type="checkbox" checked=${chosen.includes(name)} onChange=${() => toggle(name)} />
        <bdi>${name}</bdi></label><//></li>`)}</ul>
    <div class="row cures">
      <button type="button" class="secondary small" disabled=${isOff} onClick=${() => say("exclude")}>
        ${t("start.exclude", { count: chosen.length })}</button>
      <button type="button" class="secondary small" disabled=${isOff} onClick=${() => say("keep")}>
        ${t("start.keep", { count: chosen.length })}</button>
      ${labels.length > 0 && html`<label class="move"><span class="unseen">${t("start.move_to")}</span>
        <select value=${label} onChange=${(/** @type {any} */ event) => setLabel(event.target.value)}>
          <option value="">${t("start.move_to")}</option>
          ${labels.map((each) => html`<option key=${each} value=${each}>${each}</option>`)}</select></label>
        <button type="button" class="secondary small" disabled=${isOff || !label} onClick=${() => say("label", label)}>
          ${t("start.move")}</button>`}
    </div>`;
}
