// The step for a folder: what was found in it, what to train, and the start.
import { ApiError } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Busy, Shown, Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";
import { go, link } from "../../router.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";
import { bestFit, useChecks } from "./checks.js";
import { CorrectionsMade } from "./corrections_made.js";
import { lastPart } from "./crumbs.js";
import { FolderReport } from "./folder_report.js";
import { useProject } from "./project_fields.js";
import { StartForm } from "./start_form.js";
import { TrainTypeCards } from "./train_type_cards.js";
import { uploadProgress } from "./upload_progress.js";
import { useCorrections } from "./use_corrections.js";

/** HTTP statuses of a folder that is not there or not allowed. */
const REFUSED = [400, 403, 404];

/** @typedef {import("../../api.js").Schemas["TrainTypeView"]} TrainTypeView */

/** @param {{query: Record<string, string>}} props folder, and as far as they were given: trainType, userId, projectId */
export function FolderStep({ query }) {
  const types = useLoaded("v1/train-types");
  const above = query.folder.slice(0, query.folder.lastIndexOf("/"));
  return html`<div class="step">
    <p class="lead"><span class="path">${query.folder}</span> <a href=${link(["start"], { at: above })}>${t("start.other_folder")}</a></p>
    <${Uploaded} folder=${query.folder} />
    <${Shown} of=${types}>${(/** @type {{trainTypes: TrainTypeView[]}} */ { trainTypes }) => html`
      <${Checked} query=${query} trainTypes=${trainTypes} />`}<//>
  </div>`;
}

/** What this page has just uploaded into the folder. @param {{folder: string}} props */
function Uploaded({ folder }) {
  const { state, project, projectDir, stored, duplicates, refused } = useStore(uploadProgress);
  if (state !== "finished" || projectDir !== folder) return null;
  const facts = [
    t("start.count_uploaded", { count: stored }),
    duplicates ? t("start.count_duplicates", { count: duplicates }) : "",
    refused.length ? t("start.count_refused", { count: refused.length }) : "",
  ];
  return html`<p class="state good" role="status">${facts.filter(Boolean).join(" · ")}
    ${" "}<a href=${link(["start", "upload"], project ?? {})}>${t("start.add_more")}</a></p>`;
}

/** @param {{query: Record<string, string>, trainTypes: TrainTypeView[]}} props */
function Checked({ query, trainTypes }) {
  const names = trainTypes.map(({ name }) => name);
  const { checks, check } = useChecks(query.folder, names);
  /** @param {Record<string, string>} changed */
  const remember = (changed) => go(["start"], { ...query, ...changed }, { replace: true });
  const { project, change } = useProject(query, lastPart(query.folder), remember);
  const fit = bestFit(names, checks);
  const chosen = (names.includes(query.trainType) && query.trainType) || fit || (names.every((name) => checks[name]) ? names[0] : "");
  const corrections = useCorrections(query.folder, project, () => check([chosen]));
  const trainType = trainTypes.find(({ name }) => name === chosen);
  const checked = checks[chosen];
  // There is no such folder, or nothing may be trained there: nothing of what follows would help.
  const isRefused = checked?.trouble instanceof ApiError && REFUSED.includes(checked.trouble.status);
  return html`<div>
    <h2>${t("start.what_to_train")}</h2>
    <${TrainTypeCards} trainTypes=${trainTypes} checks=${checks} chosen=${chosen} fit=${fit} isByPerson=${Boolean(query.trainType)}
      choose=${(/** @type {string} */ name) => remember({ trainType: name })} />
    <h2>${t("start.found")}</h2>
    ${checked?.trouble && html`<${Trouble} error=${checked.trouble} retry=${() => check([chosen])} />`}
    ${!checked && html`<${Busy} what=${t("start.checking")} />`}
    ${!isRefused && html`<${CorrectionsMade} corrections=${corrections} />`}
    ${checked?.report && html`<${FolderReport} report=${checked.report} trainType=${chosen} folder=${query.folder}
      corrections=${corrections} />`}
    ${trainType && checked && !isRefused && html`<${StartForm} key=${trainType.name} trainType=${trainType} report=${checked.report}
      folder=${query.folder} project=${project} change=${change} />`}
  </div>`;
}
