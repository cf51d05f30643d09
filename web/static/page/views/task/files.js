// The files of a task's model: its formats with their scores, the app pack, and every single file.
import { ApiError, address, taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { CopyButton } from "../../parts/copy_button.js";
import { DataTable } from "../../parts/data_table.js";
import { Empty, Shown } from "../../parts/states.js";
import { html, useEffect } from "../../preact.js";
import { bytes, t } from "../../words.js";
import { AppPack } from "./app_pack.js";
import { Exports } from "./exports.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */
/** @typedef {import("../../api.js").Schemas["ArtifactList"]} ArtifactList */
/** @typedef {ArtifactList["artifacts"][number]} Artifact */

/** The address of a file. The server gives a path from its root, and may itself be behind a path of a proxy.
 * @param {Artifact} artifact */
export const fileAddress = (artifact) => address(artifact.url.replace(/^\//, ""));

/** @param {{task: TaskView}} props */
export function Files({ task }) {
  const listed = /** @type {import("../../loading.js").Loaded<ArtifactList>} */ (
    useLoaded(taskPath(task.taskId, "artifacts")));
  // An interim model and the finished one have other files.
  useEffect(listed.reload, [task.state, task.modelPath]);
  if (listed.trouble instanceof ApiError && listed.trouble.code === "no_artifact") return html`<${NoFiles} task=${task} />`;
  return html`<${Shown} of=${listed}>${(/** @type {ArtifactList} */ list) =>
    list.artifacts.length === 0 ? html`<${NoFiles} task=${task} />` : html`<${Listed} task=${task} list=${list} />`}<//>`;
}

/** @param {{task: TaskView}} props */
const NoFiles = ({ task }) => html`<${Empty}><p>${
  task.state === "done" ? t("task.files_gone")
    : ["pending", "processing"].includes(task.state) ? t("task.files_later") : t("task.no_files")
}</p><//>`;

/** @param {{task: TaskView, list: ArtifactList}} props */
function Listed({ task, list }) {
  /** @param {string} name */
  const file = (name) => list.artifacts.find((artifact) => artifact.name === name);
  const [manifest, pack, labels] = [file("manifest.json"), file("app_pack.zip"), file("labels.txt")];
  return html`
    ${list.interim && html`<p class="state stale">${t("task.files_interim")}</p>`}
    <p class="row"><a href=${address(taskPath(task.taskId, "artifacts.zip"))} role="button" download>${t("task.download")}</a>
      ${labels && html`<a href=${fileAddress(labels)} download>${t("task.labels_file")}</a>`}</p>
    ${manifest && html`<${Exports} manifest=${manifest} artifacts=${list.artifacts} />`}
    ${pack && html`<section><h2>${t("task.pack")}</h2>
      <${AppPack} url=${fileAddress(pack)} sizeBytes=${pack.sizeBytes} /></section>`}
    <section><h2>${t("task.all_files")}</h2><${AllFiles} artifacts=${list.artifacts} /></section>`;
}

/** @param {{artifacts: readonly Artifact[]}} props */
const AllFiles = ({ artifacts }) => html`
  <${DataTable} title=${t("task.all_files")} heads=${[t("task.file"), t("task.size"), "SHA-256"]}>
    ${artifacts.map((artifact) => html`<tr key=${artifact.name}>
      <th scope="row"><a href=${fileAddress(artifact)} download>${artifact.name}</a></th>
      <td class="number">${bytes(artifact.sizeBytes)}</td>
      <td class="hash"><code title=${artifact.sha256}>${artifact.sha256.slice(0, 12)}…</code>
        <${CopyButton} text=${artifact.sha256} what=${t("task.hash_of", { name: artifact.name })} /></td></tr>`)}<//>`;
