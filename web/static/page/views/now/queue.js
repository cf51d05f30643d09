// The tasks that start next.
import { Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { useOnlyUser } from "../../session.js";
import { estimate, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

/** @param {{queue: import("../../loading.js").Loaded<Schemas["QueueView"]>}} props */
export function Queue({ queue }) {
  const onlyUser = useOnlyUser();
  return html`<section aria-labelledby="queue">
    <h2 id="queue">${t("now.queue")}</h2>
    <${Shown} of=${queue}>${(/** @type {Schemas["QueueView"]} */ { queue: first, waiting, next }) => html`
      ${first.length === 0 && html`<p class="muted">${t(onlyUser ? "now.queue_empty_of_user" : "now.queue_empty")}</p>`}
      <ol class="queue plain">${first.map((task) => html`
        <li key=${task.taskId}><span class="muted">${task.position}.</span>
          <a href=${link(["tasks", task.taskId])}>${task.projectId}</a>
          <span class="muted small">${task.userId} · ${startOf(task)}</span></li>`)}</ol>
      ${waiting > first.length && html`<p>${onlyUser && !next ? t("now.queue_of_others", { count: waiting - first.length })
        : html`<a href=${link(["now"], { state: "pending", sort: "submittedAt" })}>
          ${t("now.queue_more", { count: waiting - first.length })}</a>`}</p>`}`}
    <//>
  </section>`;
}

/** @param {Schemas["QueueEntry"]} task */
function startOf(task) {
  if (!task.estimatedStartAt) return t("now.start_unknown");
  const leftS = (Date.parse(task.estimatedStartAt) - Date.now()) / 1000;
  return leftS < 10 ? t("now.starts_soon") : t("now.starts_in", { duration: estimate(leftS) });
}
