// Masks of held_out_masks.json as coloured layers that can be laid over their photo.
import { colorAt, pixelsOf } from "../../parts/mask_png.js";

/**
 * A mask is a PNG in base64, drawn in the colours of its labels: as a number for each pixel it is found by its colour.
 *
 * @typedef {{picture: string, score: number, width: number, height: number, truth: string, predicted: string}} ShownPicture
 * @typedef {{labels: string[], colors: string[], pictures: ShownPicture[]}} ShownMasks
 */
/**
 * truth, predicted, difference: what is drawn over the photo. shares: of each label but the background that is in one of
 * the masks, the share of the picture that it truly has and that the model gave it.
 *
 * @typedef {{truth: HTMLCanvasElement, predicted: HTMLCanvasElement, difference: HTMLCanvasElement,
 *   shares: {label: number, truth: number, predicted: number}[]}} Layers
 */

/** Pixels of the truth that have no label. They are not coloured and do not count. */
const UNLABELLED = 255;
export const MISSED = "#d55e00";
export const EXTRA = "#0072b2";

/** @param {string} color as #rrggbb */
const rgb = (color) => Number.parseInt(color.slice(1), 16);

/**
 * The number of the class of each pixel.
 *
 * @param {string} base64
 * @param {ShownPicture} picture
 * @param {Map<number, number>} numbers by colour
 */
async function numbersOf(base64, { width, height }, numbers) {
  const { data } = await pixelsOf(base64);
  return Uint8Array.from({ length: width * height }, (_, pixel) => numbers.get(colorAt(data, pixel)) ?? UNLABELLED);
}

/**
 * @param {ShownPicture} picture
 * @param {(pixel: number) => string} colorOf "" for a pixel without colour
 */
function drawn({ width, height }, colorOf) {
  const canvas = Object.assign(document.createElement("canvas"), { width, height });
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d"));
  const image = context.createImageData(width, height);
  for (let pixel = 0; pixel < width * height; pixel++) {
    const color = colorOf(pixel);
    if (!color) continue;
    const value = rgb(color);
    image.data.set([value >> 16, (value >> 8) & 255, value & 255, 255], 4 * pixel);
  }
  context.putImageData(image, 0, 0);
  return canvas;
}

/**
 * @param {ShownPicture} picture
 * @param {string[]} colors of the labels
 * @returns {Promise<Layers>}
 */
export async function layersOf(picture, colors) {
  const numbers = new Map(colors.map((color, number) => [rgb(color), number]));
  const truth = await numbersOf(picture.truth, picture, numbers);
  const predicted = await numbersOf(picture.predicted, picture, numbers);
  /** @param {number} number */
  const colorOf = (number) => (number === 0 || number === UNLABELLED ? "" : colors[number]);
  return {
    truth: drawn(picture, (pixel) => colorOf(truth[pixel])),
    predicted: drawn(picture, (pixel) => colorOf(predicted[pixel])),
    difference: drawn(picture, (pixel) => {
      if (truth[pixel] === predicted[pixel] || truth[pixel] === UNLABELLED) return "";
      return truth[pixel] > 0 ? MISSED : EXTRA;
    }),
    shares: sharesOf(truth, predicted),
  };
}

/** @param {Uint8Array} truth @param {Uint8Array} predicted */
function sharesOf(truth, predicted) {
  const counts = [new Array(256).fill(0), new Array(256).fill(0)];
  truth.forEach((number, pixel) => {
    counts[0][number]++;
    counts[1][predicted[pixel]]++;
  });
  return counts[0].flatMap((_, label) => (label === 0 || label === UNLABELLED || counts[0][label] + counts[1][label] === 0 ? []
    : [{ label, truth: counts[0][label] / truth.length, predicted: counts[1][label] / truth.length }]));
}
