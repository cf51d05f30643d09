// npm install @litertjs/core@2.5.3
// Serve this folder, model.tflite, and node_modules/@litertjs/core/wasm/ as /wasm/.
//
//   const segment = await loadSegmenter('/model/');
//   context.putImageData(await segment(document.querySelector('img')), 0, 0);
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';
import {SIDE, toInput} from './input.mjs';

const THRESHOLD = __THRESHOLD__; // foreground is above

/** @param folder where model.tflite is, with a slash at its end */
export async function loadSegmenter(folder, wasm = '/wasm/') {
  await loadLiteRt(wasm);
  const model = await loadAndCompile(`${folder}model.tflite`, {accelerator: 'wasm'});

  /** The mask as ImageData of SIDE x SIDE: white where foreground is, transparent elsewhere. */
  return async (image) => {
    const input = new Tensor(toInput(image), [1, SIDE, SIDE, 3]);
    const [output] = await model.run(input);
    const probabilities = await output.data();
    const mask = new ImageData(SIDE, SIDE);
    probabilities.forEach((probability, pixel) => {
      if (probability > THRESHOLD) mask.data.fill(255, 4 * pixel, 4 * pixel + 4);
    });
    input.delete(); // tensors lie outside of JavaScript's memory
    output.delete();
    return mask;
  };
}
