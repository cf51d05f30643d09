// Trains again with what was decided.
import { post, taskPath } from "../../api.js";
import { Ask } from "../../parts/ask.js";
import { html } from "../../preact.js";
import { go } from "../../router.js";
import { t } from "../../words.js";

/** @param {{taskId: string, saver: import("./saver.js").Saver}} props */
export function TrainAgain({ taskId, saver }) {
  const { count } = saver;
  const isReady = count > 0 && saver.unsaved.size === 0;
  async function act() {
    const task = /** @type {{taskId: string}} */ (await post(taskPath(taskId, "retry"), {}));
    go(["tasks", task.taskId]);
  }
  return html`<${Ask} label=${t("labels.train_again")} title=${t("labels.train_again_title")} disabled=${!isReady}
    consequence=${t("labels.train_again_means", { count })} act=${act} />`;
}
