// Data of the server as a component shows it: loading, ready, refused, or as it was when the server was last in touch.
import { OutOfTouch, get } from "./api.js";
import { epoch, touch } from "./events.js";
import { useCallback, useEffect, useRef, useState } from "./preact.js";
import { useStore } from "./store.js";

/**
 * data: the newest that was read; null before that. trouble: why the newest reading failed; null if it did not.
 * isStale: the server does not answer, so `data` is what it was at `readAt` (milliseconds since 1970).
 *
 * @template T
 * @typedef {{data: T | null, trouble: Error | null, isStale: boolean, readAt: number, reload: () => void,
 *   change: (change: (data: T) => T) => void}} Loaded
 */

/**
 * Read a path of the API, and read it again after the server was out of touch, and when `reload` is called.
 *
 * @template T
 * @param {string | null} path null: nothing is read yet
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 * @returns {Loaded<T>}
 */
export function useLoaded(path, query) {
  const question = path === null ? "" : JSON.stringify([path, query ?? {}]);
  const [answer, setAnswer] = useState(
    /** @type {{question: string, data: T | null, trouble: Error | null, readAt: number}} */
    ({ question, data: null, trouble: null, readAt: 0 }));
  const current = useStore(epoch);
  const { state } = useStore(touch);
  const reading = useRef(/** @type {AbortController | null} */ (null));
  const isShown = useRef(false);

  const reload = useCallback(() => {
    if (!question) return;
    const earlier = reading.current;
    const controller = (reading.current = new AbortController());
    // While there is nothing to show, the earlier reading goes on until this one has its answer. Events begin just after
    // a view is first shown, and a person should not wait for the second reading then.
    if (isShown.current) earlier?.abort();
    else controller.signal.addEventListener("abort", () => earlier?.abort());
    const [itsPath, itsQuery] = JSON.parse(question);
    get(itsPath, itsQuery, controller.signal).then(
      (data) => {
        earlier?.abort();
        isShown.current = true;
        setAnswer({ question, data: /** @type {T} */ (data), trouble: null, readAt: Date.now() });
      },
      (error) => {
        if (controller.signal.aborted) return;
        setAnswer((before) => ({ ...(before.question === question ? before : { data: null, readAt: 0 }), question, trouble: error }));
      },
    );
  }, [question]);
  useEffect(reload, [reload, current]);
  useEffect(() => () => {
    isShown.current = false;
    reading.current?.abort();
  }, [reload]);
  // The events tell when the server is back. A page that never had them tries again by itself.
  useEffect(() => {
    if (!(answer.trouble instanceof OutOfTouch)) return undefined;
    const timer = setTimeout(reload, 2000);
    return () => clearTimeout(timer);
  }, [answer, reload]);
  const change = useCallback(
    (/** @type {(data: T) => T} */ how) => setAnswer((now) => (now.data === null ? now : { ...now, data: how(now.data) })), []);

  const isOurs = answer.question === question;
  const trouble = isOurs ? answer.trouble : null;
  const isAway = trouble instanceof OutOfTouch || state === "away";
  return { data: isOurs ? answer.data : null, trouble, isStale: isAway, readAt: answer.readAt, reload, change };
}
