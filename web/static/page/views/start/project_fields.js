// To whom the photos belong, and what the project is called. Both are kept in the address.
import { html, useState } from "../../preact.js";
import { session } from "../../session.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";

/** Who a person on their own machine is. */
export const USUAL_USER = "me";

/**
 * userId and projectId as they were typed, or else by the address, or else the usual ones. A token of one user allows no
 * other.
 *
 * @param {Record<string, string>} query
 * @param {string} usualProject
 * @param {(changed: Record<string, string>) => void} remember puts what was typed into the address
 */
export function useProject(query, usualProject, remember) {
  const own = useStore(session)?.userId ?? "";
  // An address has no empty values, but a field that a person fills anew is empty for a moment.
  const [typed, setTyped] = useState(/** @type {Record<string, string>} */ ({}));
  const named = { userId: USUAL_USER, projectId: usualProject, ...query, ...typed };
  return {
    project: { userId: own || named.userId, projectId: named.projectId },
    change(/** @type {Record<string, string>} */ changed) {
      setTyped({ ...typed, ...changed });
      remember(changed);
    },
  };
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
