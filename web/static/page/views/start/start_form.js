// The form that starts the training.
import { ApiError, address, request } from "../../api.js";
import { OptionFields } from "../../parts/option_fields.js";
import { changedOptions, refusedOptions } from "../../parts/options.js";
import { Trouble } from "../../parts/states.js";
import { html, useRef, useState } from "../../preact.js";
import { go } from "../../router.js";
import { t } from "../../words.js";
import { ProjectFields } from "./project_fields.js";

/**
 * @param {{trainType: import("./folder_step.js").TrainTypeView, report: import("./checks.js").CheckView | null, folder: string,
 *   project: import("./uploader.js").Project, change: (changed: Record<string, string>) => void}} props
 *   report: null where the folder could not be checked; the training will look itself
 */
export function StartForm({ trainType, report, folder, project, change }) {
  const [drafts, setDrafts] = useState(/** @type {import("../../parts/options.js").Drafts} */ ({}));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setIsBusy] = useState(false);
  // A task that is posted again after an answer was lost stays the same task.
  const key = useRef({ body: "", name: "" });
  /** @type {import("../../parts/options.js").OptionsSchema} */
  const schema = /** @type {any} */ (trainType.options);
  const isTrainable = report?.trainable ?? true;
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setIsBusy(true);
    setTrouble(null);
    try {
      const options = changedOptions(schema, drafts);
      const body = JSON.stringify({ ...project, projectDir: folder, trainType: trainType.name, options });
      if (key.current.body !== body) key.current = { body, name: newKey() };
      const headers = { "Content-Type": "application/json", "Idempotency-Key": key.current.name };
      const task = await (await request(address("v1/tasks"), { method: "POST", body, headers })).json();
      go(["tasks", task.taskId]);
    } catch (error) {
      setTrouble(error instanceof Error ? error : new Error(String(error)));
      setIsBusy(false);
    }
  }
  const refused = trouble instanceof ApiError ? trouble.fields : {};
  return html`
    <h2>${t("start.begin")}</h2>
    <form class="start-form card" onSubmit=${submit}>
      <${ProjectFields} ...${project} onChange=${change} refused=${refused} />
      <${OptionFields} schema=${schema} drafts=${drafts} onDrafts=${setDrafts} refused=${refusedOptions(trouble)} />
      ${trouble && html`<${Trouble} error=${trouble} />`}
      <p id="what-happens">${isTrainable ? t("start.what_happens", { folder })
        : t("start.cannot_begin")}</p>
      <button type="submit" disabled=${!isTrainable || isBusy} aria-busy=${isBusy} aria-describedby="what-happens">${t("start.do")}</button>
    </form>`;
}

/** Random digits. `crypto.randomUUID` exists only for https and localhost. */
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
