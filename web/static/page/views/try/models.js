// The models that can be tried: those of the newest finished tasks.
import { useLoaded } from "../../loading.js";
import { Empty, Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { ago, named, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */

const MOST_SHOWN = 60;

export function Models() {
  /** @type {import("../../loading.js").Loaded<Schemas["TaskList"]>} */
  const tasks = useLoaded("v1/tasks", { state: "done", sort: "-endedAt", limit: MOST_SHOWN });
  return html`
    <p>${t("try.which")}</p>
    <${Shown} of=${tasks}>${(/** @type {Schemas["TaskList"]} */ list) => list.tasks.length === 0
      ? html`<${Empty}><p>${t("try.none")}</p><p><a href=${link(["start"])}>${t("try.start")}</a></p><//>`
      : html`
        <ul class="cards plain">${list.tasks.map((task) => html`
          <li class="card" key=${task.taskId}>
            <p><a href=${link(["try", task.taskId])}><b>${task.projectId}</b></a></p>
            <p class="muted small">${named("train_type", task.trainType)} · ${task.userId} · ${ago(task.endedAt ?? "")}</p>
          </li>`)}</ul>
        ${list.next && html`<p><a href=${link(["now"], { state: "done" })}>${t("try.more")}</a></p>`}`}
    <//>`;
}
