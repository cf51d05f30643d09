// What the server takes of photos that are uploaded, and why it takes none.
import { ApiError } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";
import { session } from "../../session.js";
import { useStore } from "../../store.js";
import { bytes, t } from "../../words.js";
import { KINDS_IN_WORDS } from "./picture_kinds.js";
import { USUAL_USER } from "./project_fields.js";

/** @typedef {{maxPictureBytes: number, maxPictures: number, maxProjectBytes: number}} Limits */
/**
 * @typedef {{projectDir: string, labels: {label: string, pictures: number}[], pictures: number, sizeBytes: number,
 *   limits: Limits}} UploadedView
 */

/**
 * The photos that a project has on the server already.
 *
 * @param {string} userId @param {string} projectId nothing is asked without both
 * @returns {import("../../loading.js").Loaded<UploadedView>}
 */
export const useUploaded = (userId, projectId) =>
  useLoaded(userId && projectId ? "v1/uploads" : null, { userId, projectId });

/** limits: null until they are known. whyNot: why nothing can be uploaded. */
export function useUploadLimits() {
  const { data, trouble } = useUploaded(useStore(session)?.userId || USUAL_USER, "photos");
  return { limits: data?.limits ?? null, whyNot: trouble instanceof ApiError && data === null ? trouble : null };
}

/** @param {{why: Error}} props */
export const UploadsOff = ({ why }) => html`
  <${Trouble} error=${why} />
  <p class="muted small">${t("start.uploads_off")}</p>`;

/** @param {{limits: Limits}} props */
export const LimitsInWords = ({ limits }) => html`<p class="muted small">${t("start.limits", {
  kinds: KINDS_IN_WORDS,
  size: bytes(limits.maxPictureBytes),
  count: limits.maxPictures,
  total: bytes(limits.maxProjectBytes),
})}</p>`;
