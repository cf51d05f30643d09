// What a person has said of single pictures of a folder. No photo is changed or deleted by it.
import { get, post } from "../../api.js";
import { useEffect, useRef, useState } from "../../preact.js";

/** @typedef {"label" | "exclude" | "keep"} Action */
/** @typedef {{picture: string, action: Action, label: string}} Correction */
/** @typedef {{picture: string, action: Action | "none", label?: string}} Change */

/** The most changes of one call. */
const MOST_CHANGES = 500;

/**
 * made: the corrections of the folder, the newest last. last: what the newest change was, null if it was taken back.
 *
 * @typedef {{made: Correction[], last: {changes: Change[], before: Change[]} | null, trouble: Error | null, isBusy: boolean,
 *   apply: (changes: Change[]) => Promise<void>, undo: () => Promise<void>}} Corrections
 */

/**
 * @param {string} projectDir
 * @param {{userId: string, projectId: string}} project
 * @param {() => void} onChanged called after each change
 * @returns {Corrections}
 */
export function useCorrections(projectDir, project, onChanged) {
  const [made, setMade] = useState(/** @type {Correction[]} */ ([]));
  const [last, setLast] = useState(/** @type {Corrections["last"]} */ (null));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const [isBusy, setIsBusy] = useState(false);
  const { userId } = project;
  const asked = useRef(userId);
  asked.current = userId;
  useEffect(() => {
    const controller = new AbortController();
    get("v1/corrections", { userId: asked.current, projectDir }, controller.signal).then(
      (/** @type {any} */ view) => setMade(view.corrections),
      (error) => controller.signal.aborted || setTrouble(error));
    return () => controller.abort();
  }, [projectDir]);

  /** @param {Change[]} changes @returns {Promise<boolean>} whether they were made */
  async function send(changes) {
    setIsBusy(true);
    setTrouble(null);
    try {
      for (let from = 0; from < changes.length; from += MOST_CHANGES) {
        const part = changes.slice(from, from + MOST_CHANGES);
        const view = /** @type {{corrections: Correction[]}} */ (await post("v1/corrections", { ...project, projectDir, changes: part }));
        setMade(view.corrections);
      }
      onChanged();
      return true;
    } catch (error) {
      setTrouble(error instanceof Error ? error : new Error(String(error)));
      return false;
    } finally {
      setIsBusy(false);
    }
  }
  return {
    made, last, trouble, isBusy,
    async apply(changes) {
      const before = changes.map(({ picture }) =>
        made.find((each) => each.picture === picture) ?? { picture, action: /** @type {const} */ ("none") });
      if (await send(changes)) setLast({ changes, before });
    },
    async undo() {
      if (last && (await send(last.before))) setLast(null);
    },
  };
}
