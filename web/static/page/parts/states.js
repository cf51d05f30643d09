// The states of data that is shown: loading, empty, refused, and as it was when the server last answered.
import { ApiError, OutOfTouch, SERVER } from "../api.js";
import { html } from "../preact.js";
import { t, time } from "../words.js";

/** Something is being read. @param {{what?: string}} props */
export const Busy = ({ what = "" }) => html`<p class="state busy" aria-busy="true">${what || t("states.loading")}</p>`;

/** There is nothing to show, and what to do about it. @param {{children: unknown}} props */
export const Empty = ({ children }) => html`<div class="state empty">${children}</div>`;

/** Why something was refused, in the words of the server, or that the server is out of touch.
 * @param {{error: Error, retry?: () => void}} props retry: reads again, as the page does by itself while the server is
 *   out of touch. What a person has asked for, such as a training, is not asked for again without them. */
export function Trouble({ error, retry }) {
  const isAway = error instanceof OutOfTouch;
  const docs = error instanceof ApiError && error.docs ? new URL(`.${error.docs}`, SERVER).href : "";
  const words = isAway && retry ? t("states.away") : error.message;
  return html`
    <div class=${isAway ? "state away" : "state trouble"} role="alert">
      <p>${words}</p>
      ${docs && html`<p><a href=${docs}>${t("states.more")}</a></p>`}
      ${retry && html`<button type="button" onClick=${retry}>${t("states.retry")}</button>`}
    </div>`;
}

/**
 * Loaded data by its state. `children` draws the data.
 *
 * @template T
 * @param {{of: Pick<import("../loading.js").Loaded<T>, "data" | "trouble" | "reload"> & {isStale?: boolean, readAt?: number},
 *   what?: string, children: (data: T) => unknown}} props what: said while it is read for the first time
 */
export function Shown({ of, what, children }) {
  const { data, trouble, isStale = false, readAt = 0, reload } = of;
  if (data === null) return trouble ? html`<${Trouble} error=${trouble} retry=${reload} />` : html`<${Busy} what=${what} />`;
  return html`
    ${isStale ? html`<p class="state stale">${t("states.stale", { time: time(new Date(readAt).toISOString()) })}</p>`
      : trouble && !(trouble instanceof OutOfTouch) && html`<${Trouble} error=${trouble} retry=${reload} />`}
    ${children(data)}`;
}
