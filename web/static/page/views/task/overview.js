// The first tab of a task: what goes on, or what came of it.
import { html } from "../../preact.js";
import { Course } from "./course.js";
import { EndedAttempts } from "./ended_attempts.js";
import { Failed } from "./failed.js";
import { Outcome } from "./outcome.js";
import { Running } from "./running.js";
import { Waiting } from "./waiting.js";
import { Empty } from "../../parts/states.js";
import { t, time } from "../../words.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** @type {Record<string, (task: TaskView) => unknown>} */
const BY_STATE = {
  pending: (task) => html`<${Waiting} task=${task} />`,
  processing: (task) => html`<${Running} task=${task} />`,
  done: (task) => html`<${Outcome} task=${task} />`,
  failed: (task) => html`<${Failed} task=${task} />`,
  cancelled: (task) => html`<${Empty}><p>${t("task.was_cancelled", { time: time(task.endedAt) })}</p><//>`,
};

/** @param {{task: TaskView}} props */
export const Overview = ({ task }) => html`
  ${BY_STATE[task.state](task)}
  <${EndedAttempts} task=${task} />
  <${Course} task=${task} />`;
