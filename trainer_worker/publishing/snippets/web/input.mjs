// Prepares pictures for the model: squashed to SIDE x SIDE pixels, red green blue, values 0 to 255.
export const SIDE = __SIDE__;

/** @param image an <img>, <video>, <canvas> or ImageBitmap  @return Float32Array of SIDE * SIDE * 3 */
export function toInput(image) {
  const context = new OffscreenCanvas(SIDE, SIDE).getContext('2d');
  context.fillStyle = 'white'; // behind transparent pictures, as in the training
  context.fillRect(0, 0, SIDE, SIDE);
  context.imageSmoothingQuality = 'high';
  context.drawImage(image, 0, 0, SIDE, SIDE);
  const rgba = context.getImageData(0, 0, SIDE, SIDE).data;
  const rgb = new Float32Array(SIDE * SIDE * 3);
  for (let pixel = 0; pixel < SIDE * SIDE; pixel++) {
    rgb.set(rgba.subarray(4 * pixel, 4 * pixel + 3), 3 * pixel);
  }
  return rgb;
}
