// A webcam whose picture is asked about several times a second.
import { snapshot, useWebcam } from "../../parts/webcam.js";
import { html, useEffect, useRef, useState } from "../../preact.js";
import { number, t } from "../../words.js";
import { LabelBars } from "./label_bars.js";
import { MaskOverlay } from "./mask_overlay.js";
import { predict } from "./pictures.js";

/** @typedef {import("../../api.js").Schemas} Schemas */
/** @typedef {{prediction: import("./pictures.js").Prediction, url: string}} Seen */

/** The longest side of a picture that is sent. Models look at less. */
const SIDE_PX = 480;
/** The pause after a call that failed. */
const PAUSE_MS = 1000;

/** @param {{task: Schemas["TaskView"], keep: (file: File) => void}} props keep: a photo that a person wants to keep */
export function Camera({ task, keep }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const trouble = useWebcam(video);
  const { seen, rate, refusal } = usePredictions(video, task.taskId);
  if (trouble) return html`<div class="state trouble" role="alert"><p>${trouble}</p></div>`;
  return html`
    <section class="camera card" aria-label=${t("try.camera")}>
      <div><video ref=${video} autoplay playsinline muted aria-label=${t("try.camera")}></video>
        <p class="row"><button type="button" class="secondary small" disabled=${!seen} onClick=${async () => {
          if (video.current) keep(await snapshot(video.current, t("try.snapshot"), SIDE_PX));
        }}>${t("try.keep")}</button>
        <span class="muted small">${rate > 0 ? t("try.rate", { rate: number(rate, { maximumFractionDigits: 1 }) }) : ""}</span></p></div>
      <div>${refusal ? html`<p class="bad" role="alert">${refusal}</p>`
        : !seen ? html`<p aria-busy="true">${t("try.asking")}</p>`
        : seen.prediction.mask ? html`<${MaskOverlay} url=${seen.url} name=${t("try.camera")} prediction=${seen.prediction} />`
        : html`<${LabelBars} prediction=${seen.prediction} />`}</div>
    </section>`;
}

/** Ask about one picture after the other, each as soon as the one before is answered. A hidden tab asks nothing.
 * @param {{current: HTMLVideoElement | null}} video @param {string} taskId */
function usePredictions(video, taskId) {
  const [state, setState] = useState({ seen: /** @type {Seen | null} */ (null), rate: 0, refusal: "" });
  useEffect(() => {
    const controller = new AbortController();
    watch(video, taskId, controller.signal, setState).catch(
      (error) => controller.signal.aborted || setState((before) => ({ ...before, refusal: String(error.message ?? error) })));
    return () => controller.abort();
  }, [taskId]);
  const url = state.seen?.url;
  useEffect(() => () => {
    if (url) URL.revokeObjectURL(url);
  }, [url]);
  return state;
}

/**
 * @param {{current: HTMLVideoElement | null}} video
 * @param {string} taskId
 * @param {AbortSignal} signal
 * @param {(change: (before: {seen: Seen | null, rate: number, refusal: string}) =>
 *   {seen: Seen | null, rate: number, refusal: string}) => void} setState
 */
async function watch(video, taskId, signal, setState) {
  while (!signal.aborted) {
    await new Promise((resolve) => requestAnimationFrame(resolve)); // It does not come while the tab is hidden.
    if (!video.current?.videoWidth) continue;
    const began = performance.now();
    const file = await snapshot(video.current, "camera.jpg", SIDE_PX);
    const [{ prediction, trouble }] = await predict(taskId, [file], signal);
    if (signal.aborted) return;
    if (trouble) {
      setState((before) => ({ ...before, refusal: trouble.message }));
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
      continue;
    }
    if (!prediction) continue;
    const rate = 1000 / (performance.now() - began);
    const url = prediction.mask ? URL.createObjectURL(file) : "";
    setState((before) => (
      { seen: { prediction, url }, rate: before.rate ? 0.8 * before.rate + 0.2 * rate : rate, refusal: "" }));
  }
}
