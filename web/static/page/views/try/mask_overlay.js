// A photo with the mask that the model has found, as a layer of colours over it.
import { Legend } from "../../parts/legend.js";
import { asCss, colorAt, paletteOf, pixelsOf } from "../../parts/mask_png.js";
import { html, useEffect, useMemo, useRef, useState } from "../../preact.js";
import { percent, t } from "../../words.js";

/** How strongly the mask covers the photo at first. */
const USUAL_STRENGTH = 0.6;

/** @param {{url: string, name: string, prediction: import("./pictures.js").Prediction}} props url: of the photo */
export function MaskOverlay({ url, name, prediction }) {
  const [strength, setStrength] = useState(USUAL_STRENGTH);
  const mask = prediction.mask ?? "";
  const colors = useMemo(() => paletteOf(mask), [mask]);
  const shares = prediction.shares ?? [];
  const words = shares.map(({ label, share }) => `${label} ${percent(share)}`).join(", ");
  const entries = shares.map(({ label, share }, place) => ({ label, color: asCss(colors[place] ?? 0), note: percent(share, 1) }));
  return html`
    <div class="mask">
      <div class="layers"><img src=${url} alt=${name} />
        <${Layer} mask=${mask} background=${colors[0] ?? 0} opacity=${strength} words=${t("try.mask_of", { name, words })} /></div>
      <label class="small">${t("try.strength")}
        <input type="range" min="0" max="1" step="0.05" value=${strength}
          onInput=${(/** @type {any} */ event) => setStrength(Number(event.target.value))} /></label>
      <${Legend} title=${t("parts.colours")} entries=${entries} />
    </div>`;
}

/** @param {{mask: string, background: number, opacity: number, words: string}} props */
function Layer({ mask, background, opacity, words }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  const [isUnreadable, setIsUnreadable] = useState(false);
  useEffect(() => {
    let isWanted = true;
    pixelsOf(mask).then(
      (pixels) => isWanted && canvas.current && draw(canvas.current, pixels, background),
      () => isWanted && setIsUnreadable(true),
    );
    return () => void (isWanted = false);
  }, [mask]);
  return isUnreadable ? html`<p class="refused" role="alert">${t("parts.mask_unreadable")}</p>`
    : html`<canvas ref=${canvas} role="img" aria-label=${words} style=${{ opacity }}></canvas>`;
}

/** Draw a mask. Where it has the colour of the background, the photo below shows through.
 * @param {HTMLCanvasElement} canvas @param {ImageData} pixels @param {number} background */
function draw(canvas, pixels, background) {
  const { width, height, data } = pixels;
  for (let pixel = 0; pixel < width * height; pixel++) {
    if (colorAt(data, pixel) === background) data[4 * pixel + 3] = 0;
  }
  Object.assign(canvas, { width, height });
  canvas.getContext("2d")?.putImageData(pixels, 0, 0);
}
