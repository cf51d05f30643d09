// How models came into use: what the gate decided about each, and why.
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { shortId, t, time } from "../../words.js";

/** @param {{gate: import("../../api.js").Schemas["ProjectView"]["gate"]}} props */
export const Gate = ({ gate }) => html`
  <section aria-labelledby="gate"><h2 id="gate">${t("compare.gate")}</h2>
    <p class="muted">${t("compare.gate_means")}</p>
    <ol class="plain">${gate.map((each) => html`<li class="decision" key=${`${each.taskId} ${each.endedAt}`}>
      <p><span class=${`tag ${each.promoted ? "done" : ""}`}>${each.promoted ? t("compare.came_into_use") : t("compare.did_not")}</span>
        ${" "}<a href=${link(["tasks", each.taskId])}>${shortId(each.taskId)}</a>
        ${" "}<span class="muted small">${time(each.promotedAt ?? each.endedAt)}</span></p>
      <p class="small">${each.byPerson ? t("compare.by_person") : each.sentence || t("compare.first")}</p></li>`)}</ol>
  </section>`;
