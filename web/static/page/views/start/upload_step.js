// The step in which photos are collected by class and uploaded.
import { ApiError } from "../../api.js";
import { Shown } from "../../parts/states.js";
import { html, useEffect, useRef, useState } from "../../preact.js";
import { go, link } from "../../router.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";
import { ClassCard } from "./class_card.js";
import { addClass, addFound, bringBack, collection } from "./collection.js";
import { DropPlace } from "../../parts/drop_place.js";
import { LeftOutFiles } from "./left_out_files.js";
import { ProjectFields, useProject } from "./project_fields.js";
import { UploadBar, toFolder } from "./upload_bar.js";
import { LimitsInWords, UploadsOff, useUploadLimits, useUploaded } from "./upload_limits.js";
import { uploadProgress } from "./upload_progress.js";

/** Cards that are shown at first. */
const FIRST_CLASSES = 100;

/** The name of a project that was given none: no other has it. */
const newName = () => t("start.new_project", { moment: new Date().toISOString().slice(0, 19).replace("T", " ").replaceAll(":", ".") });

/** @param {{query: Record<string, string>}} props */
export function UploadStep({ query }) {
  const collected = useStore(collection);
  const progress = useStore(uploadProgress);
  const limits = useUploadLimits();
  /** @param {Record<string, string>} changed */
  const remember = (changed) => go(["start", "upload"], { ...query, ...changed }, { replace: true });
  const { project, change } = useProject(query, collected.source, remember);
  const uploaded = useUploaded(project.userId, project.projectId);
  // The name stands in the address from the start, so that a reload finds the same project again.
  useEffect(() => {
    if (query.projectId === undefined) remember({ projectId: collected.source || newName() });
  }, []);
  const [isAll, setIsAll] = useState(false);
  const shown = useRef(progress.state);
  useEffect(() => {
    // Not for a person who comes back to an upload that was finished before.
    const hasJustEnded = progress.state === "finished" && shown.current !== "finished";
    if (progress.state === "idle" && shown.current !== "idle") uploaded.reload();
    shown.current = progress.state;
    if (hasJustEnded && progress.refused.length === 0 && progress.projectDir) toFolder(progress.projectDir, project);
  }, [progress.state]);
  if (limits && !limits.enabled) return html`<${UploadsOff} /><p><a href=${link(["start"])}>${t("start.other_way")}</a></p>`;
  const isUploading = progress.state === "running" || progress.state === "away";
  const before = /** @type {import("./upload_limits.js").UploadedView | null} */ (uploaded.data);
  const mostBytes = limits?.maxPictureBytes ?? Infinity;
  const addOne = () => {
    addClass();
    setIsAll(true); // The new card is the last one.
  };
  const shownClasses = isAll ? collected.classes : collected.classes.slice(0, FIRST_CLASSES);
  return html`<div class="step">
    <p class="lead">${t("start.collect_lead")} <a href=${link(["start"])}>${t("start.other_way")}</a></p>
    <${ProjectFields} ...${project} onChange=${change} isFixed=${isUploading || progress.ended > 0}
      refused=${progress.trouble instanceof ApiError ? progress.trouble.fields : {}} />
    <div><${Shown} of=${uploaded}>${() => null}<//></div>
    ${before && before.pictures > 0 && progress.state === "idle" && html`<div class="state stale" role="status"><p>
      ${t("start.has_before", { count: before.pictures })} <a href=${link(["start"], { ...project, folder: before.projectDir })}>
      ${t("start.train_on_them")}</a> <button type="button" class="plain" onClick=${() => change({ projectId: newName() })}>
      ${t("start.other_project")}</button></p></div>`}
    <${DropPlace} onFound=${(/** @type {any} */ found) => addFound(found, mostBytes)} label=${t("start.drop_here")} withFolders>
      <p><strong>${t("start.drop_here")}</strong></p>
      <p class="muted small">${t("start.drop_how")}</p><//>
    <${LeftOutFiles} collected=${collected} />
    <h2>${t("start.classes")}</h2>
    <ul class="cards class-cards">${shownClasses.map((each) => html`<${ClassCard} key=${each.key} of=${each}
      others=${collected.classes.filter((other) => other !== each).map((other) => other.label.trim())} isUploading=${isUploading}
      stored=${before?.labels.find(({ label }) => label === each.label)?.pictures ?? 0} mostBytes=${mostBytes}
      outcome=${progress.byClass[each.key]} />`)}
      ${shownClasses.length < collected.classes.length && html`<li class="add-class"><button type="button" class="secondary"
        onClick=${() => setIsAll(true)}>${t("start.all_classes", { count: collected.classes.length })}</button></li>`}
      <li class="add-class"><button type="button" class="secondary" onClick=${addOne}>${t("start.add_class")}</button></li>
    </ul>
    <div class="upload-foot">
      <div role="status">${collected.removed && html`<p class="state stale">${collected.removed.what}
        ${" "}<button type="button" class="plain" onClick=${bringBack}>${t("start.undo")}</button></p>`}</div>
      <${UploadBar} project=${project} collected=${collected} limits=${limits} before=${before} /></div>
    ${limits && html`<${LimitsInWords} limits=${limits} />`}
  </div>`;
}
