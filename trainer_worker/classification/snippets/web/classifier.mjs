// npm install @litertjs/core@2.5.3
// Serve this folder, model.tflite and labels.txt, and node_modules/@litertjs/core/wasm/ as /wasm/.
//
//   const classify = await loadClassifier('/model/');
//   const answer = await classify(document.querySelector('img'));
//   console.log(labelToShow(answer), answer[0].probability);
import {loadAndCompile, loadLiteRt, Tensor} from '@litertjs/core';
import {SIDE, toInput} from './input.mjs';

const LABELS = __LABELS__; // how many
const UNKNOWN_BELOW = __UNKNOWN__;

/** What to show for an answer: its likeliest label, or "unknown" if none is likely enough. */
export function labelToShow(answer) {
  return answer[0].probability < UNKNOWN_BELOW ? 'unknown' : answer[0].label;
}

/** @param folder where model.tflite and labels.txt are, with a slash at its end */
export async function loadClassifier(folder, wasm = '/wasm/') {
  await loadLiteRt(wasm);
  const model = await loadAndCompile(`${folder}model.tflite`, {accelerator: 'wasm'});
  const text = await (await fetch(`${folder}labels.txt`)).text();
  const labels = text.split('\n').slice(0, LABELS);

  /** Each label with its probability, the likeliest first. Of answers with 0.8, about 8 in 10 are right. */
  return async (image) => {
    const input = new Tensor(toInput(image), [1, SIDE, SIDE, 3]);
    const [output] = await model.run(input);
    const probabilities = await output.data();
    const answers = labels.map((label, index) => ({label, probability: probabilities[index]}));
    input.delete(); // tensors lie outside of JavaScript's memory
    output.delete();
    return answers.sort((a, b) => b.probability - a.probability);
  };
}
