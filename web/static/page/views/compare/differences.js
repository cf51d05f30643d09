// By how much the scores differ, on the photos that all of the models were scored on, and the photos they disagree about.
import { useLoaded } from "../../loading.js";
import { Photo, taskPhoto } from "../../parts/photo.js";
import { Shown } from "../../parts/states.js";
import { html } from "../../preact.js";
import { number, percent, shortId, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {Schemas["ComparedTasks"]} Compared */

const FIRST_SHOWN = 24;

/** @param {{tasks: string[]}} props */
export function Differences({ tasks }) {
  /** @type {import("../../loading.js").Loaded<Compared>} */
  const compared = useLoaded("v1/compare", { tasks: tasks.join(",") });
  return html`
    <section aria-labelledby="differences"><h2 id="differences">${t("compare.differences")}</h2>
      <${Shown} of=${compared}>${(/** @type {Compared} */ found) => html`
        <p class="muted">${t("compare.common", { count: found.pictures })}</p>
        <ul class="plain">${found.differences.map((each) => html`<li key=${`${each.taskId} ${each.against}`}>
          <p><b>${signed(each.value)}</b> ${each.sentence.replace(each.against, shortId(each.against))}</p></li>`)}</ul>
        <${Disagreements} found=${found} tasks=${tasks} />`}
      <//>
    </section>`;
}

/** A difference of shares in percentage points. @param {number | null} value */
const signed = (value) => value === null ? "–"
  : t("compare.points", { points: number(value * 100, { signDisplay: "exceptZero", maximumFractionDigits: 1 }) });

/** @param {{found: Compared, tasks: string[]}} props */
function Disagreements({ found, tasks }) {
  if (found.disagreements.length === 0) return html`<p class="muted">${t("compare.agree")}</p>`;
  const shown = found.disagreements.slice(0, FIRST_SHOWN);
  return html`
    <h3>${t("compare.disagree", { count: found.disagreeing })}</h3>
    <ul class="photos">${shown.map(({ picture, truth, answers }) => html`
      <li key=${picture}><${Photo} src=${taskPhoto(tasks[0], picture)} name=${picture}>
        ${truth && html`<span>${t("compare.truth", { label: truth })}</span>`}
        ${tasks.map((taskId) => html`<br /><span class=${!truth ? "" : answers[taskId] === truth ? "good" : "bad"}>
          ${shortId(taskId)}: ${shownAnswer(answers[taskId])}</span>`)}<//></li>`)}</ul>
    ${found.disagreeing > shown.length && html`<p class="muted">${t("compare.first_of", {
      count: shown.length, all: found.disagreeing })}</p>`}`;
}

/** A label, or the Dice of a mask. @param {string | number | undefined} answer */
const shownAnswer = (answer) => (typeof answer === "number" ? percent(answer) : answer ?? "");
