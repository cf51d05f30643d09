// Data of the server as a component shows it: loading, ready, refused, or as it was when the server was last in touch.
import { ApiError, OutOfTouch, askedPauseMs, get } from "./api.js";
import { epoch, touch } from "./events.js";
import { pauseAfterMs } from "./pauses.js";
import { useCallback, useEffect, useRef, useState } from "./preact.js";
import { useStore } from "./store.js";
import { t } from "./words.js";

/**
 * data: the newest that was read; null before that. trouble: why the newest reading failed; null if it did not.
 * isStale: this reading did not reach the server, so `data` is what it was at `readAt` (milliseconds since 1970).
 * isOfBefore: `data` answers the query before, while the answer to the new one is being read.
 *
 * @template T
 * @typedef {{data: T | null, trouble: Error | null, isStale: boolean, isOfBefore: boolean, readAt: number,
 *   reload: () => void, change: (change: (data: T) => T) => void}} Loaded
 */

/**
 * Something that is loaded once, such as a script or a part of a file, and again when `reload` is called. What comes
 * after the component is gone, or after `inputs` have changed, does not count.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @param {unknown[]} inputs what `load` depends on
 * @returns {{data: T | null, trouble: Error | null, reload: () => void}}
 */
export function useOnce(load, inputs) {
  const [answer, setAnswer] = useState(/** @type {{data: T | null, trouble: Error | null}} */ ({ data: null, trouble: null }));
  const [tries, setTries] = useState(0);
  useEffect(() => {
    let isWanted = true;
    setAnswer({ data: null, trouble: null });
    load().then(
      (data) => isWanted && setAnswer({ data, trouble: null }),
      (trouble) => isWanted && setAnswer({ data: null, trouble }),
    );
    return () => void (isWanted = false);
  }, [...inputs, tries]);
  return { ...answer, reload: () => setTries(tries + 1) };
}

/**
 * A script that a part of the page needs. A browser does not ask again for one that did not come, so the page is loaded
 * anew when the server is back.
 *
 * @template T
 * @param {() => Promise<T>} load
 * @returns {{script: T | null, trouble: Error | null}}
 */
export function useScript(load) {
  const { data, trouble } = useOnce(load, [load]);
  const { state } = useStore(touch);
  const wasAway = useRef(false);
  useEffect(() => {
    if (state === "away") wasAway.current = true;
    // Only after the server was away: a script that is not there would be asked for without end.
    else if (trouble && wasAway.current && state === "live") location.reload();
  }, [state, trouble]);
  return { script: data, trouble: trouble && (state === "away" ? new OutOfTouch() : new Error(t("states.no_script"))) };
}

/** The front-end, or the broker behind it, restarts or has too much to do. By HTTP status. */
const PASSING = [502, 503, 504];

/** Whether the same call may well be answered in a moment. @param {Error | null} trouble */
const passesByItself = (trouble) =>
  trouble instanceof OutOfTouch || (trouble instanceof ApiError && PASSING.includes(trouble.status));

/**
 * Read a path of the API, and read it again after the server was out of touch, and when `reload` is called.
 *
 * @template T
 * @param {string | null} path null: nothing is read yet
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 * @param {{keeps?: boolean, everyMs?: number}} [options] keeps: the data of the query before is shown until that of a new
 *   query is there. everyMs: it is read again so long after each answer, for what changes without an event; 0: it is not
 * @returns {Loaded<T>}
 */
export function useLoaded(path, query, { keeps = false, everyMs = 0 } = {}) {
  const question = path === null ? "" : JSON.stringify([path, query ?? {}]);
  const [answer, setAnswer] = useState(
    /** @type {{question: string, data: T | null, trouble: Error | null, failures: number, readAt: number}} */
    ({ question, data: null, trouble: null, failures: 0, readAt: 0 }));
  const current = useStore(epoch);
  const { state } = useStore(touch);
  const reading = useRef(/** @type {AbortController | null} */ (null));
  // An answer may be older than what events have changed since its reading began, so these changes are made again.
  const changes = useRef(/** @type {{atMs: number, how: (data: T) => T}[]} */ ([]));
  const isShown = useRef(false);

  const reload = useCallback(() => {
    if (!question) return;
    const earlier = reading.current;
    const controller = (reading.current = new AbortController());
    const beganMs = performance.now();
    const hasEnded = () => {
      if (reading.current !== controller) return;
      reading.current = null;
      changes.current = [];
    };
    // While there is nothing to show, the earlier reading goes on until this one has its answer. Events begin just after
    // a view is first shown, and a person should not wait for the second reading then.
    if (isShown.current) earlier?.abort();
    else controller.signal.addEventListener("abort", () => earlier?.abort());
    const [itsPath, itsQuery] = JSON.parse(question);
    get(itsPath, itsQuery, controller.signal).then(
      (data) => {
        earlier?.abort();
        isShown.current = true;
        const since = changes.current.filter(({ atMs }) => atMs >= beganMs);
        const newest = since.reduce((now, { how }) => how(now), /** @type {T} */ (data));
        hasEnded();
        setAnswer({ question, data: newest, trouble: null, failures: 0, readAt: Date.now() });
      },
      (error) => {
        if (controller.signal.aborted) return;
        hasEnded();
        setAnswer((now) => {
          const before = now.question === question ? now : { data: null, failures: 0, readAt: 0 };
          return { ...before, question, trouble: error, failures: before.failures + 1 };
        });
      },
    );
  }, [question]);
  useEffect(reload, [reload, current]);
  useEffect(() => () => {
    isShown.current = false;
    reading.current?.abort();
  }, [reload]);
  // The events tell when the server is back, but not when the broker is, and a page that never had them is told nothing.
  useEffect(() => {
    const { trouble } = answer;
    const passes = passesByItself(trouble);
    if (!passes && !everyMs) return undefined;
    const leastMs = trouble instanceof OutOfTouch ? 0 : everyMs;
    let { failures } = answer;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    const again = () => {
      if (document.visibilityState === "visible") {
        reload();
        failures += 1;
      }
      wait(); // in case no answer comes
    };
    const wait = () => {
      timer = setTimeout(again, passes ? pauseAfterMs(failures, Math.max(leastMs, askedPauseMs(trouble))) : everyMs);
    };
    wait();
    return () => clearTimeout(timer);
  }, [answer.readAt, answer.trouble, reload, everyMs]);
  const change = useCallback((/** @type {(data: T) => T} */ how) => {
    if (reading.current) changes.current.push({ atMs: performance.now(), how });
    setAnswer((now) => (now.data === null ? now : { ...now, data: how(now.data) }));
  }, []);

  const isOurs = answer.question === question;
  const isOfBefore = keeps && !isOurs && answer.data !== null;
  const trouble = isOurs ? answer.trouble : null;
  // While the events are away, the bar at the top of the page says so for all parts at once.
  const isStale = trouble instanceof OutOfTouch && state !== "away";
  return { data: isOurs || isOfBefore ? answer.data : null, trouble, isStale, isOfBefore, readAt: answer.readAt, reload, change };
}
