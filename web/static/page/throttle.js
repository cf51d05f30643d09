// Events can come by the hundred a second. What they cause, such as reading a list again, is done less often.
import { useCallback, useEffect, useRef } from "./preact.js";

/**
 * A function that calls `act` at once, but at most once in `pauseMs`. Calls in between become one call at the end of
 * the pause. Nothing is called after the component is gone.
 *
 * @param {() => void} act
 * @param {number} pauseMs
 * @returns {() => void} the same function each time
 */
export function useThrottled(act, pauseMs) {
  const newest = useRef(act);
  newest.current = act;
  const timer = useRef(/** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined));
  const last = useRef(0);
  useEffect(() => () => clearTimeout(timer.current), []);
  return useCallback(() => {
    timer.current ??= setTimeout(() => {
      timer.current = undefined;
      last.current = Date.now();
      newest.current();
    }, Math.max(0, last.current + pauseMs - Date.now()));
  }, [pauseMs]);
}
