// What the server finds in a folder, for each trainType that it knows.
import { OutOfTouch, post } from "../../api.js";
import { epoch } from "../../events.js";
import { useEffect, useState } from "../../preact.js";
import { session } from "../../session.js";
import { useStore } from "../../store.js";
import { lastPart } from "./crumbs.js";
import { USUAL_USER } from "./project_fields.js";

/** @typedef {import("../../api.js").Schemas["CheckView"]} CheckView */
/** The report on the folder, or why there is none. @typedef {{report: CheckView | null, trouble: Error | null}} Checked */

const RETRY_MS = 2000;

/**
 * The checks of all trainTypes. A check that is not there yet is missing.
 *
 * @param {string} folder
 * @param {readonly string[]} trainTypes
 * @param {number} version the folder is checked again when it changes
 */
export function useChecks(folder, trainTypes, version) {
  const userId = useStore(session)?.userId || USUAL_USER;
  const touched = useStore(epoch);
  const [checks, setChecks] = useState(/** @type {Record<string, Checked>} */ ({}));
  const [tries, setTries] = useState(0);
  useEffect(() => {
    const controller = new AbortController();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    for (const trainType of trainTypes) {
      const task = { userId, projectId: lastPart(folder), projectDir: folder, trainType };
      post("v1/check", task, controller.signal).then(
        (report) => setChecks((all) => ({ ...all, [trainType]: { report: /** @type {CheckView} */ (report), trouble: null } })),
        (trouble) => {
          if (controller.signal.aborted) return;
          setChecks((all) => ({ ...all, [trainType]: { report: all[trainType]?.report ?? null, trouble } }));
          if (trouble instanceof OutOfTouch) timer ??= setTimeout(() => setTries((count) => count + 1), RETRY_MS);
        },
      );
    }
    return () => {
      controller.abort();
      clearTimeout(timer);
    };
  }, [folder, trainTypes.join(), version, userId, touched, tries]);
  return { checks, checkAgain: () => setTries((count) => count + 1) };
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
