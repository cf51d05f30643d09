// Masks as the server sends them: PNGs in base64 with a palette, one colour for each class.

/** @param {string} base64 @returns {Uint8Array<ArrayBuffer>} */
export const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/**
 * The pixels of a mask, exactly in the colours of its palette. Throws if they cannot be read.
 *
 * @param {string} base64
 * @returns {Promise<ImageData>}
 */
export async function pixelsOf(base64) {
  const options = /** @type {const} */ ({ colorSpaceConversion: "none", premultiplyAlpha: "none" });
  const bitmap = await createImageBitmap(new Blob([bytesOf(base64)], { type: "image/png" }), options);
  const { width, height } = bitmap;
  const canvas = new OffscreenCanvas(width, height);
  const context = /** @type {OffscreenCanvasRenderingContext2D} */ (canvas.getContext("2d", { willReadFrequently: true }));
  context.drawImage(bitmap, 0, 0);
  bitmap.close();
  return context.getImageData(0, 0, width, height);
}

/** A colour of a pixel as a number, to compare it. @param {ArrayLike<number>} data @param {number} pixel */
export const colorAt = (data, pixel) => (data[4 * pixel] << 16) | (data[4 * pixel + 1] << 8) | data[4 * pixel + 2];

/** The type of the chunk PLTE. @see PNG specification, section 11.2.2 */
const PALETTE = 0x504c5445;
/** The signature of a PNG, and what a chunk has besides its content: length, type and checksum. */
const SIGNATURE_BYTES = 8;
const CHUNK_BYTES = 12;

/** The colours of the palette as numbers, in the order of the classes. @param {string} base64 @returns {number[]} */
export function paletteOf(base64) {
  const png = bytesOf(base64);
  const view = new DataView(png.buffer);
  for (let at = SIGNATURE_BYTES; at + CHUNK_BYTES <= png.length; at += CHUNK_BYTES + view.getUint32(at)) {
    if (view.getUint32(at + 4) !== PALETTE) continue;
    const content = png.subarray(at + 8, at + 8 + view.getUint32(at));
    return Array.from({ length: content.length / 3 }, (_, place) =>
      (content[3 * place] << 16) | (content[3 * place + 1] << 8) | content[3 * place + 2]);
  }
  return [];
}

/** A number as CSS writes the colour. @param {number} color */
export const asCss = (color) => `#${color.toString(16).padStart(6, "0")}`;
