// The log of a task. While it is trained, new lines are shown as they are written.
import { ApiError, address, taskPath } from "../../api.js";
import { Busy, Empty, Trouble } from "../../parts/states.js";
import { html, useEffect, useMemo, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";
import { useLog } from "./log_stream.js";

/** So near to its end (in pixels) a log counts as scrolled to the end. */
const NEAR_END_PX = 24;

/** @param {{task: import("./use_task.js").TaskView}} props */
export function Log({ task }) {
  const isRunning = task.state === "processing";
  const hasBegun = task.startedAt !== null;
  const { text, leftOut, isRead, trouble } = useLog(task.taskId, { isWanted: hasBegun, isRunning });
  const [isFollowing, setIsFollowing] = useState(true);
  const place = useRef(/** @type {HTMLPreElement | null} */ (null));
  useEffect(() => {
    if (isFollowing && place.current) place.current.scrollTop = place.current.scrollHeight;
  }, [text, isFollowing]);
  const lines = useMemo(() => linesOf(text), [text]);
  if (!hasBegun) return html`<${Empty}><p>${task.state === "pending" ? t("task.log_later") : t("task.log_none")}</p><//>`;
  if (trouble && !isRead) return html`<${Trouble} error=${trouble} />`;
  if (!isRead) return html`<${Busy} />`;
  const look = (/** @type {any} */ event) => setIsFollowing(isAtEnd(event.target));
  return html`
    <div class="row task-log-tools">
      ${isRunning && html`<label><input type="checkbox" role="switch" checked=${isFollowing}
        onChange=${(/** @type {any} */ event) => setIsFollowing(event.target.checked)} />${t("task.follow")}</label>`}
      <a href=${address(taskPath(task.taskId, "log"))} download="log.txt">${t("task.whole_log")}</a>
      ${leftOut && html`<span class="muted small">${t("task.log_cut")}</span>`}
    </div>
    ${trouble instanceof ApiError && html`<${Trouble} error=${trouble} />`}
    <pre class="task-log" ref=${place} tabindex="0" role="region" aria-label=${t("task.log")} onScroll=${look}>${lines}</pre>`;
}

/** @param {HTMLElement} place */
const isAtEnd = (place) => place.scrollHeight - place.scrollTop - place.clientHeight < NEAR_END_PX;

/** Warnings and errors stand out. Each line begins with the time and INFO, WARNING or ERROR. @param {string} text */
function linesOf(text) {
  return text.split(/(?<=\n)/).map((line) => {
    const level = / (WARNING|ERROR) /.exec(line.slice(0, 40))?.[1];
    return level ? html`<span class=${level.toLowerCase()}>${line}</span>` : line;
  });
}
