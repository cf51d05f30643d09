// The formats in which a model was written: how large, how good and how quick each file is.
import { request } from "../../api.js";
import { useOnce } from "../../loading.js";
import { DataTable } from "../../parts/data_table.js";
import { Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";
import { bytes, named, number, percent, t } from "../../words.js";
import { fileAddress } from "./files.js";

/** @typedef {import("./files.js").Artifact} Artifact */
/** As manifest.json has them; see docs/results.md.
 * @typedef {{format: string, file: string, size_bytes: number, score: number | null, ms_per_image: number, flagged: string}} Format */
/** @typedef {{score_name: string, formats: Format[], not_written: {format: string, reason: string}[]}} ExportFacts */

/** @param {{manifest: Artifact, artifacts: readonly Artifact[]}} props */
export function Exports({ manifest, artifacts }) {
  /** @type {{data: {exports?: ExportFacts} | null, trouble: Error | null, reload: () => void}} */
  const read = useOnce(async () => (await request(fileAddress(manifest))).json(), [manifest.sha256]);
  if (read.trouble) return html`<${Trouble} error=${read.trouble} retry=${read.reload} />`;
  const facts = read.data?.exports;
  if (!facts) return null;
  const scoreName = named("metric", facts.score_name);
  return html`
    <section><h2>${t("task.formats")}</h2>
      <${DataTable} title=${t("task.formats")} name="task-formats"
        heads=${[t("task.format"), t("task.size"), scoreName, t("task.speed"), t("task.file")]}>
        ${facts.formats.map((format) => html`<${Row} key=${format.format} format=${format} artifacts=${artifacts} />`)}<//>
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
