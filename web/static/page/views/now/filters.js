// Which tasks are listed. All of it stands in the address.
import { html, useEffect, useRef, useState } from "../../preact.js";
import { go, link } from "../../router.js";
import { named, number, t } from "../../words.js";

/** @typedef {Record<string, string>} Query */

const STATES = ["pending", "processing", "done", "failed", "cancelled"];
/** A search begins when the person has not typed for this long. */
const TYPING_MS = 250;

/** @param {{query: Query, counts: Record<string, number> | null}} props */
export const Filters = ({ query, counts }) => html`
  <div class="filters row">
    <${Search} query=${query} />
    <ul class="row plain" aria-label=${t("now.state")}>
      ${["", ...STATES].map((state) => html`<li><${StateLink} state=${state} query=${query} counts=${counts} /></li>`)}
    </ul>
    <${Order} query=${query} />
  </div>`;

/** @param {{query: Query}} props */
function Search({ query }) {
  const [text, setText] = useState(query.search);
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const newest = useRef(query);
  newest.current = query;
  useEffect(() => setText(query.search), [query.search]);
  useEffect(() => () => clearTimeout(timer.current), []);
  /** @param {any} event */
  function type(event) {
    const typed = event.target.value;
    setText(typed);
    clearTimeout(timer.current);
    timer.current = setTimeout(
      () => go(["now"], { ...newest.current, search: typed.trim(), cursor: "" }, { replace: true }), TYPING_MS);
  }
  return html`<input type="search" aria-label=${t("now.search")} placeholder=${t("now.search_hint")} maxlength="200"
    value=${text} onInput=${type} />`;
}

/** @param {{state: string, query: Query, counts: Record<string, number> | null}} props */
function StateLink({ state, query, counts }) {
  const all = counts && Object.values(counts).reduce((sum, count) => sum + count, 0);
  const count = counts && (state ? counts[state] ?? 0 : all);
  return html`
    <a class="chip" href=${link(["now"], { ...query, state, cursor: "" })} aria-current=${query.state === state ? "true" : null}>
      ${state ? named("state", state) : t("now.all")}${" "}
      <span class="muted">${count === null ? "" : number(/** @type {number} */ (count))}</span></a>`;
}

/** @param {{query: Query}} props */
function Order({ query }) {
  const orders = { "-submittedAt": t("now.newest"), submittedAt: t("now.oldest"), "-endedAt": t("now.ended_last") };
  /** @param {any} event */
  const choose = (event) => go(["now"], { ...query, sort: event.target.value, cursor: "" });
  return html`
    <select aria-label=${t("now.sort")} value=${query.sort || "-submittedAt"} onChange=${choose}>
      ${Object.entries(orders).map(([value, words]) => html`<option value=${value}>${words}</option>`)}
    </select>`;
}
