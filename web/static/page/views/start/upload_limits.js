// What the server takes of photos that are uploaded, and why it takes none.
import { useLoaded } from "../../loading.js";
import { Empty } from "../../parts/states.js";
import { html } from "../../preact.js";
import { bytes, t } from "../../words.js";
import { KINDS_IN_WORDS } from "../../parts/picture_kinds.js";

/** @typedef {import("../../api.js").Schemas["UploadLimits"]} Limits */
/** @typedef {import("../../api.js").Schemas["ProjectUploads"]} UploadedView */

/**
 * The photos that a project has on the server already.
 *
 * @param {string} userId @param {string} projectId nothing is asked without both
 * @returns {import("../../loading.js").Loaded<UploadedView>}
 */
export const useUploaded = (userId, projectId) =>
  useLoaded(userId && projectId ? "v1/uploads" : null, { userId, projectId });

/** What the server takes; null until it is known. @returns {Limits | null} */
export function useUploadLimits() {
  const { data } = useLoaded("v1/server");
  return /** @type {import("../../api.js").Schemas["ServerView"] | null} */ (data)?.limits.uploads ?? null;
}

/** Nothing can be uploaded, and what to do instead. */
export const UploadsOff = () => html`<${Empty}><p>${t("start.uploads_off")}</p><//>`;

/** @param {{limits: Limits}} props */
export const LimitsInWords = ({ limits }) => html`<p class="muted small">${t("start.limits", {
  kinds: KINDS_IN_WORDS,
  size: bytes(limits.maxPictureBytes),
  count: limits.maxPictures,
  total: bytes(limits.maxProjectBytes),
})}</p>`;
