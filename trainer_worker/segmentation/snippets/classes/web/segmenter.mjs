// npm install @litertjs/core@2.5.3
// Serve this folder, model.tflite, and node_modules/@litertjs/core/wasm/ as /wasm/.
//
//   const segment = await loadSegmenter('/model/');
//   const classes = await segment(document.querySelector('img'));
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';
import {SIDE, toInput} from './input.mjs';

const CLASSES = __LABELS__;

/** @param folder where model.tflite is, with a slash at its end */
export async function loadSegmenter(folder, wasm = '/wasm/') {
  await loadLiteRt(wasm);
  const model = await loadAndCompile(`${folder}model.tflite`, {accelerator: 'wasm'});

  /** The class of each pixel, row by row, SIDE x SIDE: its line in labels.txt, counted from 0. */
  return async (image) => {
    const input = new Tensor(toInput(image), [1, SIDE, SIDE, 3]);
    const [output] = await model.run(input);
    const probabilities = await output.data();
    const classes = new Uint8Array(SIDE * SIDE).map((_, pixel) => {
      const ofPixel = probabilities.subarray(pixel * CLASSES, (pixel + 1) * CLASSES);
      return ofPixel.indexOf(Math.max(...ofPixel));
    });
    input.delete(); // tensors lie outside of JavaScript's memory
    output.delete();
    return classes;
  };
}
