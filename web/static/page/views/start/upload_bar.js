// How far the upload is, and the buttons that start, pause and end it.
import { Ask } from "../../parts/ask.js";
import { Bar } from "../../parts/bar.js";
import { html } from "../../preact.js";
import { go } from "../../router.js";
import { useStore } from "../../store.js";
import { bytes, t } from "../../words.js";
import { forgetCollection, isGoodName } from "./collection.js";
import { forgetUpload, hasEnded as isDone, pauseUpload, startUpload, uploadProgress } from "./upload_progress.js";

/** Progress is told to screen readers in steps of this many percent. */
const TOLD_STEP = 25;

/**
 * @param {{project: import("./uploader.js").Project, collected: import("./collection.js").Collection,
 *   limits: import("./upload_limits.js").Limits | null, before: import("./upload_limits.js").UploadedView | null}} props
 */
export function UploadBar({ project, collected, limits, before }) {
  const progress = useStore(uploadProgress);
  const waiting = collected.classes.flatMap(({ photos }) => photos.filter((photo) => !isDone(photo.key)));
  const size = waiting.reduce((sum, { file }) => sum + file.size, 0);
  if (waiting.length === 0 && progress.state === "idle") return null;
  const isRunning = progress.state === "running" || progress.state === "away";
  const hasEnded = progress.state === "finished";
  const onServer = progress.stored + progress.duplicates;
  const whyNot = isRunning || (hasEnded && waiting.length === 0) ? "" : whyNotYet(collected, waiting.length, size, project, limits, before);
  const start = () => startUpload({ userId: project.userId.trim(), projectId: project.projectId.trim() });
  const cancel = async () => {
    forgetUpload();
    forgetCollection();
  };
  return html`
    <section class="upload-bar card" aria-label=${t("start.upload")}>
      ${progress.state !== "idle" && html`<${Progress} progress=${progress} />`}
      <div class="row">
        ${isRunning ? html`<button type="button" class="secondary" onClick=${pauseUpload}>${t("start.pause")}</button>`
          : waiting.length > 0 && html`<button type="button" disabled=${Boolean(whyNot)} aria-describedby="upload-why" onClick=${start}>
              ${t(progress.state === "paused" || progress.state === "stopped" ? "start.go_on" : "start.upload_photos",
                { count: waiting.length, size: bytes(size) })}</button>`}
        ${hasEnded && progress.projectDir && html`<button type="button"
          onClick=${() => toFolder(progress.projectDir, project)}>${t("start.next")}</button>`}
        ${progress.state !== "idle" && html`<${Ask} label=${t(hasEnded ? "start.other_project" : "start.cancel_upload")}
          title=${t(hasEnded ? "start.other_project_title" : "start.cancel_title")} act=${cancel}
          consequence=${t(onServer ? "start.cancel_consequence" : "start.cancel_nothing", { count: onServer })}
          isDangerous=${!hasEnded} />`}
      </div>
      <p id="upload-why" class="muted small">${whyNot || (waiting.length && progress.state === "idle" ? t("start.upload_how") : "")}</p>
    </section>`;
}

/**
 * @param {import("./collection.js").Collection} collected @param {number} count of photos that wait @param {number} size of them
 * @param {import("./uploader.js").Project} project @param {import("./upload_limits.js").Limits | null} limits
 * @param {import("./upload_limits.js").UploadedView | null} before
 */
function whyNotYet({ classes }, count, size, { userId, projectId }, limits, before) {
  const labels = classes.map(({ label }) => label.trim());
  if (count === 0) return t("start.nothing_to_upload");
  if (!userId.trim() || !projectId.trim()) return t("start.name_project");
  if (labels.includes("") || new Set(labels).size < labels.length || !labels.every(isGoodName)) return t("start.name_classes");
  const pictures = count + (before?.pictures ?? 0);
  if (limits && pictures > limits.maxPictures) return t("start.too_many", { count: pictures, most: limits.maxPictures });
  const total = size + (before?.sizeBytes ?? 0);
  if (limits && total > limits.maxProjectBytes) return t("start.too_much", { size: bytes(total), most: bytes(limits.maxProjectBytes) });
  return "";
}

/** @param {{progress: import("./upload_progress.js").UploadProgress}} props */
function Progress({ progress }) {
  const share = progress.totalBytes ? (100 * progress.sentBytes) / progress.totalBytes : 100;
  const told = Math.floor(share / TOLD_STEP) * TOLD_STEP;
  const facts = [
    t("start.uploaded_of", { ended: progress.ended, total: progress.total, sent: bytes(progress.sentBytes),
      size: bytes(progress.totalBytes) }),
    progress.duplicates ? t("start.count_duplicates", { count: progress.duplicates }) : "",
    progress.refused.length ? t("start.count_refused", { count: progress.refused.length }) : "",
  ];
  return html`
    <${Bar} progress=${Math.min(share, 100)} label=${t("start.upload")} />
    <p>${facts.filter(Boolean).join(" · ")}</p>
    <p role="status" class=${progress.state === "away" ? "state away" : "unseen"}>${{
      idle: "", away: t("start.upload_away"), running: t("start.told", { percent: told }), paused: t("start.paused"),
      stopped: "", finished: t("start.finished"),
    }[progress.state]}</p>
    ${progress.trouble && html`<p class="state trouble" role="alert">${progress.trouble.message}</p>`}
    ${progress.refused.length > 0 && html`<details open><summary>${t("start.refused_photos", { count: progress.refused.length })}</summary>
      <ul>${progress.refused.slice(0, 50).map(({ name, why }) => html`<li><bdi>${name}</bdi>: ${why}</li>`)}</ul></details>`}`;
}

/** Show what the server finds in the uploaded photos. @param {string} folder @param {import("./uploader.js").Project} project */
export const toFolder = (folder, project) => go(["start"], { folder, ...project });
