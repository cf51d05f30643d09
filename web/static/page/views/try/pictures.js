// Pictures that a person gives, and what the model says of them, the newest first.
import { ApiError, post, taskPath } from "../../api.js";
import { DropPlace } from "../../parts/drop_place.js";
import { html, useEffect, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";
import { Answer } from "./answer.js";
import { Camera } from "./camera.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {Schemas["Prediction"]} Prediction */
/**
 * A picture and its answer; both are null until the answer has come or was refused.
 *
 * @typedef {{key: number, name: string, url: string, prediction: Prediction | null, trouble: Error | null}} Tried
 */

/** So many pictures are sent in one call, so that the first answers come soon. */
const BATCH = 4;
/** Older pictures are forgotten, because each holds memory. */
const MOST_KEPT = 60;

/** @param {{task: Schemas["TaskView"]}} props */
export function Pictures({ task }) {
  const [tried, setTried] = useState(/** @type {Tried[]} */ ([]));
  const [isCamera, setIsCamera] = useState(false);
  const nextKey = useRef(0);
  const leaving = useRef(new AbortController());
  const newest = useRef(tried);
  newest.current = tried;
  useEffect(() => () => {
    leaving.current.abort();
    for (const each of newest.current) URL.revokeObjectURL(each.url);
  }, []);

  /** @param {File[]} files */
  async function add(files) {
    const added = files.map((file) => ({
      key: nextKey.current++, name: file.name, url: URL.createObjectURL(file), prediction: null, trouble: null,
    }));
    setTried((before) => kept([...added, ...before]));
    for (let first = 0; first < files.length; first += BATCH) {
      const some = added.slice(first, first + BATCH);
      const answers = await predict(task.taskId, files.slice(first, first + BATCH), leaving.current.signal);
      if (leaving.current.signal.aborted) return;
      setTried((before) => before.map((each) => {
        const row = some.findIndex(({ key }) => key === each.key);
        return row < 0 ? each : { ...each, ...answers[row] };
      }));
    }
  }

  usePasted(add);
  const camera = html`<button type="button" class="secondary" aria-pressed=${isCamera ? "true" : "false"}
    onClick=${() => setIsCamera(!isCamera)}>${isCamera ? t("try.camera_off") : t("try.camera_on")}</button>`;
  return html`
    <${DropPlace} label=${t("try.drop")} buttons=${camera}
      onFound=${(/** @type {import("../../parts/dropped_files.js").FoundFile[]} */ found) => add(found.map(({ file }) => file))}>
      <p>${t("try.drop")}</p><//>
    ${isCamera && html`<${Camera} task=${task} keep=${(/** @type {File} */ file) => add([file])} />`}
    <p class="unseen" role="status">${t("try.answered", { count: tried.filter((each) => each.prediction).length })}</p>
    <ul class="answers plain">${tried.map((each) => html`<li key=${each.key}><${Answer} tried=${each} /></li>`)}</ul>`;
}

/** Take the pictures that a person pastes into the page. @param {(files: File[]) => void} add */
function usePasted(add) {
  const newest = useRef(add);
  newest.current = add;
  useEffect(() => {
    /** @param {ClipboardEvent} event */
    const paste = (event) => {
      const files = [...(event.clipboardData?.files ?? [])];
      if (files.length) newest.current(files);
    };
    addEventListener("paste", paste);
    return () => removeEventListener("paste", paste);
  }, []);
}

/** The newest pictures. The memory of the others is given back. @param {Tried[]} tried */
function kept(tried) {
  for (const each of tried.slice(MOST_KEPT)) URL.revokeObjectURL(each.url);
  return tried.slice(0, MOST_KEPT);
}

/**
 * What the model says of each file. One bad picture does not spoil the others.
 *
 * @param {string} taskId
 * @param {File[]} files
 * @param {AbortSignal} [signal]
 * @returns {Promise<{prediction: Prediction | null, trouble: Error | null}[]>}
 */
export async function predict(taskId, files, signal) {
  const form = new FormData();
  for (const file of files) form.append("picture", file, file.name);
  try {
    const answer = /** @type {Schemas["Predictions"]} */ (await post(taskPath(taskId, "predict"), form, signal));
    return answer.predictions.map((prediction) => ({
      prediction: prediction.error ? null : prediction,
      trouble: prediction.error ? new ApiError(400, { error: prediction.error, code: prediction.code ?? "" }) : null,
    }));
  } catch (error) {
    const trouble = error instanceof Error ? error : new Error(String(error));
    return files.map(() => ({ prediction: null, trouble }));
  }
}
