// A new task like one that has ended, with other options if wanted.
import { post, taskPath } from "../../api.js";
import { useLoaded } from "../../loading.js";
import { Ask } from "../../parts/ask.js";
import { OptionFields } from "../../parts/option_fields.js";
import { changedOptions, refusedOptions } from "../../parts/options.js";
import { Busy, Trouble } from "../../parts/states.js";
import { html, useState } from "../../preact.js";
import { go } from "../../router.js";
import { t } from "../../words.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */
/** @typedef {import("../../api.js").Schemas["TrainTypeList"]} TrainTypeList */

/** The schema of the options of a trainType, as soon as it is read. @param {string} trainType */
export function useOptionsSchema(trainType) {
  const types = /** @type {import("../../loading.js").Loaded<TrainTypeList>} */ (useLoaded("v1/train-types"));
  const found = types.data?.trainTypes.find((each) => each.name === trainType);
  return { schema: /** @type {import("../../parts/options.js").OptionsSchema | undefined} */ (/** @type {unknown} */ (found?.options)),
    trouble: types.trouble, reload: types.reload };
}

/** @param {{task: TaskView}} props */
export function TrainAgain({ task }) {
  const [drafts, setDrafts] = useState(/** @type {import("../../parts/options.js").Drafts} */ ({}));
  const [refused, setRefused] = useState(/** @type {Record<string, string>} */ ({}));
  const { schema, trouble, reload } = useOptionsSchema(task.trainType);
  async function act() {
    const options = schema ? changedOptions(schema, drafts, task.options) : {};
    try {
      const made = /** @type {TaskView} */ (await post(taskPath(task.taskId, "retry"), { options }));
      go(["tasks", made.taskId]);
    } catch (error) {
      setRefused(refusedOptions(error));
      throw error;
    }
  }
  const fields = schema
    ? html`<${OptionFields} ...${{ schema, drafts, refused }} onDrafts=${setDrafts} before=${task.options} id="again" />`
    : trouble ? html`<${Trouble} error=${trouble} retry=${reload} />` : html`<${Busy} />`;
  return html`<${Ask} label=${t("task.again")} title=${t("task.again_question")} consequence=${t("task.again_means")}
    confirm=${t("task.again_do")} act=${act}>${fields}<//>`;
}
