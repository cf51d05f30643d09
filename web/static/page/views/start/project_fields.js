// To whom the photos belong, and what the project is called. Both are kept in the address.
import { html } from "../../preact.js";
import { session } from "../../session.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";

/** Who a person on their own machine is. */
export const USUAL_USER = "me";

/**
 * userId and projectId by the address, or else the usual ones. A token of one user allows no other.
 *
 * @param {Record<string, string>} query
 * @param {string} usualProject
 */
export function useProject(query, usualProject) {
  const own = useStore(session)?.userId ?? "";
  return { userId: own || (query.userId ?? USUAL_USER), projectId: query.projectId ?? usualProject };
}

/**
 * @param {{userId: string, projectId: string, onChange: (changed: Record<string, string>) => void,
 *   refused?: Record<string, string>, isFixed?: boolean}} props
 *   isFixed: photos have been uploaded under these names. refused: why the server refused one of them, by its name.
 */
export function ProjectFields({ userId, projectId, onChange, refused = {}, isFixed = false }) {
  const isOwn = Boolean(useStore(session)?.userId);
  return html`
    <div class="project-fields">
      <${TextField} name="projectId" label=${t("start.project")} hint=${t("start.project_hint")} value=${projectId}
        refusal=${refused.projectId} isFixed=${isFixed} onChange=${onChange} />
      <${TextField} name="userId" label=${t("start.user")} hint=${t(isOwn ? "start.user_fixed" : "start.user_hint")} value=${userId}
        refusal=${refused.userId} isFixed=${isFixed || isOwn} onChange=${onChange} />
    </div>`;
}

/**
 * @param {{name: string, label: string, hint: string, value: string, refusal?: string, isFixed: boolean,
 *   onChange: (changed: Record<string, string>) => void}} props
 */
const TextField = ({ name, label, hint, value, refusal, isFixed, onChange }) => html`
  <label>${label}
    <input name=${name} value=${value} required maxlength="100" readonly=${isFixed} autocomplete="off"
      aria-invalid=${refusal ? "true" : null} aria-describedby=${`${name}-hint`}
      onInput=${(/** @type {any} */ event) => onChange({ [name]: event.target.value })} />
    <small id=${`${name}-hint`} class=${refusal ? "refused" : ""}>${refusal || hint}</small></label>`;
