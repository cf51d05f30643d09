// A picture with the mask that the model has found, as a layer of colours over it.
import { html, useEffect, useMemo, useRef, useState } from "../../preact.js";
import { percent, t } from "../../words.js";

/** @typedef {[number, number, number]} Colour */

/** @param {{url: string, name: string, prediction: import("./pictures.js").Prediction}} props */
export function MaskOverlay({ url, name, prediction }) {
  const [strength, setStrength] = useState(0.6);
  const png = useMemo(() => bytesOf(prediction.mask ?? ""), [prediction.mask]);
  const colours = useMemo(() => paletteOf(png), [png]);
  const shares = prediction.shares ?? [];
  const words = shares.map(({ label, share }) => `${label} ${percent(share)}`).join(", ");
  return html`
    <div class="mask">
      <div class="layers"><img src=${url} alt=${name} />
        <${Layer} png=${png} background=${colours[0]} opacity=${strength} words=${t("try.mask_of", { name, words })} /></div>
      <label class="small">${t("try.strength")}
        <input type="range" min="0" max="1" step="0.05" value=${strength}
          onInput=${(/** @type {any} */ event) => setStrength(Number(event.target.value))} /></label>
      <ul class="legend plain small">${shares.map(({ label, share }, row) => html`<li key=${label}>
        <${Swatch} colour=${colours[row] ?? [0, 0, 0]} />${label} <span class="muted">${percent(share, 1)}</span></li>`)}</ul>
    </div>`;
}

/** @param {{colour: Colour}} props */
const Swatch = ({ colour }) => html`<span class="swatch" style=${{ backgroundColor: `rgb(${colour.join(" ")})` }}></span>`;

/** @param {{png: Uint8Array<ArrayBuffer>, background: Colour | undefined, opacity: number, words: string}} props */
function Layer({ png, background, opacity, words }) {
  const canvas = useRef(/** @type {HTMLCanvasElement | null} */ (null));
  useEffect(() => {
    let isWanted = true;
    createImageBitmap(new Blob([png], { type: "image/png" })).then((bitmap) => {
      if (isWanted && canvas.current) draw(canvas.current, bitmap, background ?? [0, 0, 0]);
      bitmap.close();
    });
    return () => void (isWanted = false);
  }, [png]);
  return html`<canvas ref=${canvas} role="img" aria-label=${words} style=${{ opacity }}></canvas>`;
}

/** Draw a mask; where it has the colour of the background, the picture below shows through.
 * @param {HTMLCanvasElement} canvas @param {ImageBitmap} bitmap @param {Colour} background */
function draw(canvas, bitmap, background) {
  canvas.width = bitmap.width;
  canvas.height = bitmap.height;
  const context = canvas.getContext("2d");
  if (!context) return;
  context.drawImage(bitmap, 0, 0);
  const pixels = context.getImageData(0, 0, canvas.width, canvas.height);
  for (let at = 0; at < pixels.data.length; at += 4) {
    if (background.every((value, channel) => pixels.data[at + channel] === value)) pixels.data[at + 3] = 0;
  }
  context.putImageData(pixels, 0, 0);
}

/** @param {string} base64 */
const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** The colours of a palette PNG: its chunk PLTE (PNG specification, section 11.2.2). @param {Uint8Array} png */
export function paletteOf(png) {
  const view = new DataView(png.buffer);
  /** @type {Colour[]} */
  const colours = [];
  for (let at = 8; at + 8 <= png.length; at += 12 + view.getUint32(at)) {
    if (view.getUint32(at + 4) !== 0x504c5445) continue;
    const end = at + 8 + view.getUint32(at);
    for (let colour = at + 8; colour < end; colour += 3) colours.push([png[colour], png[colour + 1], png[colour + 2]]);
    break;
  }
  return colours;
}
