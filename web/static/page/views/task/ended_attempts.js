// Attempts that ended before the task did, told as what happened.
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { isNamed, named, t, time } from "../../words.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */

/** A task may have had many attempts. The newest ones are told here, all of them on their tab. */
const MOST_TOLD = 3;

/** @param {{task: TaskView}} props */
export function EndedAttempts({ task }) {
  // The last attempt of a failed task is the failure itself.
  const ended = task.endedAttempts.filter((each) => task.state !== "failed" || each.attempt < task.attempt);
  if (ended.length === 0) return null;
  return html`
    <ul class="task-happened">${ended.slice(-MOST_TOLD).map((each) => html`
      <li key=${each.attempt}>${inWords(each)} ${wentOn(task, each.attempt)}</li>`)}
      ${ended.length > MOST_TOLD && html`<li><a href=${link(["tasks", task.taskId, "attempts"])}>
        ${t("task.all_attempts", { count: ended.length })}</a></li>`}
    </ul>`;
}

/** @param {TaskView["endedAttempts"][number]} attempt */
export function inWords(attempt) {
  if (!isNamed("attempt_end", attempt.code)) return t("task.attempt_failed", { error: attempt.error });
  return named("attempt_end", attempt.code, { worker: attempt.thread, time: time(attempt.endedAt) });
}

/** What became of the task then. @param {TaskView} task @param {number} attempt */
function wentOn(task, attempt) {
  const next = attempt + 1;
  if (task.attempt === next && task.state === "pending") return t("task.waits_again");
  return task.attempt >= next ? t("task.started_again") : "";
}
