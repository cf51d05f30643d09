// One photo with its masks over it.
import { taskPhoto } from "../../parts/photo.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../preact.js";
import { percent, t } from "../../words.js";
import { share } from "../../shares.js";
import { layersOf } from "./mask_layers.js";

/** How much of a coloured pixel is colour; the rest is the photo. */
const TINT = 0.6;

/**
 * @param {{taskId: string, picture: import("./mask_layers.js").ShownPicture, masks: import("./mask_layers.js").ShownMasks,
 *   position: number}} props
 *   position: 0 photo, 1 truth, 2 prediction, 3 difference; between them two are blended
 */
export function MaskPicture({ taskId, picture, masks, position }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [layers, setLayers] = useState(/** @type {import("./mask_layers.js").Layers | null} */ (null));
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    let isWanted = true;
    layersOf(picture, masks.colors).then(
      (found) => isWanted && setLayers(found),
      () => isWanted && setTrouble(t("parts.mask_unreadable")),
    );
    return () => void (isWanted = false);
  }, [picture, masks]);
  useLayoutEffect(() => {
    if (canvas.current && layers) draw(canvas.current, layers, position);
  }, [layers, position]);
  const said = [
    t("report.mask_of", { name: picture.picture, share: share(picture.score) }),
    ...(layers?.shares ?? []).map(({ label, truth, predicted }) => t("report.mask_shares", {
      label: masks.labels[label], truth: percent(truth, 1), predicted: percent(predicted, 1) })),
  ].join(" ");
  return html`
    <figure class="mask">
      <div class="stack" style=${{ aspectRatio: `${picture.width} / ${picture.height}` }} role="img" aria-label=${said}>
        <img src=${taskPhoto(taskId, picture.picture, 640)} alt="" loading="lazy"
          style=${{ filter: `grayscale(${Math.max(0, position - 2)})` }} />
        <canvas ref=${canvas} width=${picture.width} height=${picture.height}></canvas>
      </div>
      <figcaption><span class="file" title=${picture.picture}>${picture.picture}</span>
        <strong>${t("report.overlap_of", { share: share(picture.score) })}</strong>
        ${trouble && html`<span class="refused">${trouble}</span>`}</figcaption>
    </figure>`;
}

/** @param {HTMLCanvasElement} canvas @param {import("./mask_layers.js").Layers} layers @param {number} position */
function draw(canvas, layers, position) {
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const stops = [null, layers.truth, layers.predicted, layers.difference];
  const before = Math.min(Math.floor(position), stops.length - 1);
  const part = position - before;
  context.globalCompositeOperation = "source-over";
  context.clearRect(0, 0, canvas.width, canvas.height);
  context.globalCompositeOperation = "lighter"; // Two layers that cover each other add up to one.
  for (const [layer, strength] of /** @type {const} */ ([[stops[before], 1 - part], [stops[before + 1], part]])) {
    if (!layer || strength === 0) continue;
    context.globalAlpha = TINT * strength;
    context.drawImage(layer, 0, 0);
  }
}
