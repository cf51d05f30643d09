// The report on a finished model.
import { html } from "../../preact.js";

/** @param {{task: import("../../api.js").Schemas["TaskView"]}} props */
export function Report({ task }) {
  return html`<p>${task.taskId}</p>`;
}
