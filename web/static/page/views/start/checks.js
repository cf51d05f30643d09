// What the server finds in a folder, for each trainType that it knows.
import { OutOfTouch, post } from "../../api.js";
import { epoch } from "../../events.js";
import { pauseAfterMs } from "../../pauses.js";
import { useEffect, useRef, useState } from "../../preact.js";
import { session } from "../../session.js";
import { useStore } from "../../store.js";
import { lastPart } from "./crumbs.js";
import { USUAL_USER } from "./project_fields.js";

/** @typedef {import("../../api.js").Schemas["CheckView"]} CheckView */
/** The report on the folder, or why there is none. @typedef {{report: CheckView | null, trouble: Error | null}} Checked */

/**
 * checks: by trainType; one that is not there yet is missing. check: looks at the folder again for these trainTypes.
 *
 * @param {string} folder
 * @param {readonly string[]} trainTypes all of them
 */
export function useChecks(folder, trainTypes) {
  const userId = useStore(session)?.userId || USUAL_USER;
  const inTouch = useStore(epoch);
  const [checks, setChecks] = useState(/** @type {Record<string, Checked>} */ ({}));
  const running = useRef(/** @type {Record<string, AbortController>} */ ({}));
  /** @param {readonly string[]} names @param {number} [failures] how many times in a row the server was out of touch */
  const check = (names, failures = 0) => names.forEach((trainType) => {
    running.current[trainType]?.abort();
    const { signal } = (running.current[trainType] = new AbortController());
    post("v1/check", { userId, projectId: lastPart(folder), projectDir: folder, trainType }, signal).then(
      (report) => setChecks((all) => ({ ...all, [trainType]: { report: /** @type {CheckView} */ (report), trouble: null } })),
      (trouble) => {
        if (signal.aborted) return;
        setChecks((all) => ({ ...all, [trainType]: { report: all[trainType]?.report ?? null, trouble } }));
        if (!(trouble instanceof OutOfTouch)) return;
        const timer = setTimeout(() => check([trainType], failures + 1), pauseAfterMs(failures + 1));
        signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
      },
    );
  });
  useEffect(() => {
    check(trainTypes);
    return () => Object.values(running.current).forEach((controller) => controller.abort());
  }, [folder, trainTypes.join(), userId, inTouch]);
  return { checks, check };
}

/**
 * The trainType that the folder looks made for; "" if several fit, or none, or not all checks are there yet.
 *
 * @param {readonly string[]} trainTypes
 * @param {Record<string, Checked>} checks
 */
export function bestFit(trainTypes, checks) {
  if (trainTypes.some((name) => !checks[name])) return "";
  const fitting = trainTypes.filter((name) => checks[name].report?.trainable);
  return fitting.length === 1 ? fitting[0] : "";
}
