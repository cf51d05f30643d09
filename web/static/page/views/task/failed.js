// Why a task failed, first and large, and what to do about it.
import { SERVER } from "../../api.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { named, t, time } from "../../words.js";

/** @typedef {import("./use_task.js").TaskView} TaskView */
/** @typedef {NonNullable<TaskView["dataReport"]>["findings"][number]} Finding */

/** What is at fault, by the code of the failure; the photos or their folder if it does not stand here. */
const AT_FAULT = /** @type {Record<string, "options" | "machine" | "software">} */ ({
  unsupported_option: "options",
  time_limit: "options",
  out_of_memory: "machine",
  disk_full: "machine",
  storage_unreachable: "machine",
  storage_denied: "machine",
  trainer_killed: "machine",
  trainer_stalled: "machine",
  worker_lost: "machine",
  export_mismatch: "software",
  trainer_error: "software",
});

/** @param {{task: TaskView}} props */
export function Failed({ task }) {
  const code = task.code ?? "";
  const findings = (task.dataReport?.findings ?? []).filter((finding) => finding.severity !== "info");
  return html`
    <section class="task-failure" aria-labelledby="failure-title">
      <h2 id="failure-title">${t("task.failed")}</h2>
      <p class="reason">${task.error}</p>
      <p>${named("at_fault", Object.hasOwn(AT_FAULT, code) ? AT_FAULT[code] : "folder")}
        ${" "}<a href=${new URL(`docs/errors#${code}`, SERVER).href}>${t("task.more_about", { code })}</a></p>
      <p class="muted small">${t("task.failed_at", { time: time(task.endedAt), attempts: task.attempt })}
        ${" "}<a href=${link(["tasks", task.taskId, "log"])}>${t("task.see_log")}</a></p>
    </section>
    ${findings.length > 0 && html`<section><h2>${t("task.findings")}</h2>
      <ul class="task-findings">${findings.map((finding) => html`<${OneFinding} finding=${finding} />`)}</ul></section>`}`;
}

/** @param {{finding: Finding}} props */
function OneFinding({ finding: { sentence, cure, files = [], count = 0 } }) {
  return html`
    <li><p><strong>${sentence}</strong> ${cure}</p>
      ${files.length > 0 && html`<p class="muted small">${t("task.finding_files", {
        files: files.join(", "), count: Math.max(count, files.length) })}</p>`}</li>`;
}
