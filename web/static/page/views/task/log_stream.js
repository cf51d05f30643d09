// The log of a task as it is written: read from where it was left, for as long as somebody looks.
import { ApiError, address, askedPauseMs, request, taskPath } from "../../api.js";
import { epoch } from "../../events.js";
import { pauseAfterMs } from "../../pauses.js";
import { useEffect, useRef, useState } from "../../preact.js";
import { useStore } from "../../store.js";

/** text: the newest part of the log. leftOut: whether earlier lines are not in it.
 * @typedef {{text: string, leftOut: boolean, isRead: boolean, trouble: Error | null}} ReadLog */

/** How far the log is read. decoder: holds the bytes of a character that has come in part.
 * @typedef {{offset: number, text: string, leftOut: boolean, decoder: TextDecoder}} Place */

/** A longer text would make the page slow. */
const MOST_CHARS = 200_000;
/** Lines come in bursts. They are shown together. */
const SHOW_MS = 200;

/**
 * @param {string} taskId
 * @param {{isWanted: boolean, isRunning: boolean}} when isWanted: the log exists. isRunning: lines may be added to it.
 * @returns {ReadLog}
 */
export function useLog(taskId, { isWanted, isRunning }) {
  const [log, setLog] = useState(/** @type {ReadLog} */ ({ text: "", leftOut: false, isRead: false, trouble: null }));
  const place = useRef(/** @type {Place} */ ({ offset: 0, text: "", leftOut: false, decoder: new TextDecoder() }));
  const isVisible = useVisible();
  const missed = useStore(epoch);
  const [tries, setTries] = useState(0);
  /** How many readings have ended too early since the last one that brought something. */
  const failures = useRef(0);
  useEffect(() => {
    if (!isWanted || !isVisible) return undefined;
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    let isOver = false;
    const show = () => {
      timer = undefined;
      if (!isOver) setLog({ text: place.current.text, leftOut: place.current.leftOut, isRead: true, trouble: null });
    };
    const again = (/** @type {unknown} */ error) => {
      failures.current += 1;
      timer = setTimeout(() => setTries((count) => count + 1), pauseAfterMs(failures.current, askedPauseMs(error)));
    };
    const onMore = () => {
      failures.current = 0;
      timer ??= setTimeout(show, SHOW_MS);
    };
    readLog(taskId, isRunning, controller.signal, place.current, onMore).then(() => {
      clearTimeout(timer);
      show();
      // A server that stops ends the log of a task that goes on.
      if (isRunning && !isOver) again(null);
    }, (error) => {
      if (isOver) return;
      clearTimeout(timer);
      setLog((before) => ({ ...before, trouble: error }));
      // A refusal, such as too many streams, may pass as well.
      if (!(error instanceof ApiError) || error.status >= 429) again(error);
    });
    return () => {
      isOver = true;
      clearTimeout(timer);
      controller.abort();
    };
  }, [taskId, isWanted, isRunning, isVisible, missed, tries]);
  return log;
}

/**
 * Read on from `place`, which is moved.
 *
 * @param {string} taskId
 * @param {boolean} follow
 * @param {AbortSignal} signal
 * @param {Place} place
 * @param {() => void} onMore
 */
async function readLog(taskId, follow, signal, place, onMore) {
  const url = address(taskPath(taskId, "log"), { offset: place.offset, follow: follow ? "1" : null });
  const { body } = await request(url, { signal });
  const reader = body?.getReader();
  for (;;) {
    const part = await reader?.read();
    if (!part || part.done) return;
    place.offset += part.value.byteLength;
    const text = place.text + place.decoder.decode(part.value, { stream: true });
    place.leftOut ||= text.length > MOST_CHARS;
    place.text = text.length > MOST_CHARS ? text.slice(text.indexOf("\n", text.length - MOST_CHARS) + 1) : text;
    onMore();
  }
}

function useVisible() {
  const [isVisible, setIsVisible] = useState(document.visibilityState === "visible");
  useEffect(() => {
    const look = () => setIsVisible(document.visibilityState === "visible");
    document.addEventListener("visibilitychange", look);
    return () => document.removeEventListener("visibilitychange", look);
  }, []);
  return isVisible;
}
