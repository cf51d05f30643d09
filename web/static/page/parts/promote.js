// A button that puts a finished model into use in place of the one that the project uses.
import { post, taskPath } from "../api.js";
import { html } from "../preact.js";
import { t } from "../words.js";
import { Ask } from "./ask.js";

/** @param {{task: {taskId: string, projectId: string}, reload: () => void}} props reload: called when it is in use */
export const Promote = ({ task, reload }) => html`
  <${Ask} label=${t("promote.do")} title=${t("promote.question", { project: task.projectId })} consequence=${t("promote.means")}
    act=${() => post(taskPath(task.taskId, "promote")).then(reload)} />`;
