// The formats in which a model was written: how large, how good and how quick each file is.
import { request } from "../../api.js";
import { Trouble } from "../../parts/states.js";
import { html, useEffect, useState } from "../../preact.js";
import { bytes, named, number, percent, t } from "../../words.js";
import { fileAddress } from "./files.js";

/** @typedef {import("./files.js").Artifact} Artifact */
/** As manifest.json has them; see docs/results.md.
 * @typedef {{format: string, file: string, size_bytes: number, score: number | null, ms_per_image: number, flagged: string}} Format */
/** @typedef {{score_name: string, formats: Format[], not_written: {format: string, reason: string}[]}} ExportFacts */

/** @param {{manifest: Artifact, artifacts: readonly Artifact[]}} props */
export function Exports({ manifest, artifacts }) {
  const [facts, setFacts] = useState(/** @type {ExportFacts | null} */ (null));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const read = () => {
    setTrouble(null);
    request(fileAddress(manifest)).then((answer) => answer.json()).then((found) => setFacts(found.exports ?? null), setTrouble);
  };
  useEffect(read, [manifest.sha256]);
  if (trouble) return html`<${Trouble} error=${trouble} retry=${read} />`;
  if (!facts) return null;
  const scoreName = named("metric", facts.score_name);
  return html`
    <section><h2>${t("task.formats")}</h2>
      <div class="wide" tabindex="0" role="region" aria-label=${t("task.formats")}><table class="task-formats">
        <thead><tr><th scope="col">${t("task.format")}</th><th scope="col">${t("task.size")}</th><th scope="col">${scoreName}</th>
          <th scope="col">${t("task.speed")}</th><th scope="col">${t("task.file")}</th></tr></thead>
        <tbody>${facts.formats.map((format) => html`<${Row} key=${format.format} format=${format} artifacts=${artifacts} />`)}
        </tbody></table></div>
      ${facts.not_written.length > 0 && html`<ul class="small">${facts.not_written.map(({ format, reason }) => html`
        <li>${t("task.not_written", { format: named("choice", format), reason })}</li>`)}</ul>`}
    </section>`;
}

/** @param {{format: Format, artifacts: readonly Artifact[]}} props */
function Row({ format, artifacts }) {
  const artifact = artifacts.find((each) => each.name === format.file);
  return html`<tr>
    <th scope="row">${named("choice", format.format)}<br /><span class="muted small">${named("format_for", format.format)}</span>
      ${format.flagged && html`<br /><span class="refused small">${format.flagged}</span>`}</th>
    <td class="number">${bytes(format.size_bytes)}</td>
    <td class="number">${format.score === null ? "" : percent(format.score, 1)}</td>
    <td class="number">${number(format.ms_per_image, { style: "unit", unit: "millisecond", maximumSignificantDigits: 2 })}</td>
    <td>${artifact ? html`<a href=${fileAddress(artifact)} download>${format.file}</a>`
      : html`<span class="muted">${t("task.in_zip")}</span>`}</td>
  </tr>`;
}
