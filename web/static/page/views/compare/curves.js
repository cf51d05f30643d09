// The course of the compared trainings as curves over each other.
import { get, taskPath } from "../../api.js";
import { Curve } from "../../parts/curve.js";
import { html, useEffect, useMemo, useState } from "../../preact.js";
import { named, shortId, t } from "../../words.js";

/** @typedef {import("../../api.js").Schemas["EpochPage"]["epochs"]} Epochs */

const MOST_EPOCHS = 5000;

/** @param {{tasks: string[]}} props */
export function Curves({ tasks }) {
  const [epochs, setEpochs] = useState(/** @type {Epochs[]} */ ([]));
  const [chosen, setChosen] = useState("");
  useEffect(() => {
    let isWanted = true;
    Promise.all(tasks.map(readEpochs)).then((found) => isWanted && setEpochs(found));
    return () => void (isWanted = false);
  }, []);
  const names = useMemo(() => [...new Set(epochs.flat().flatMap((each) => Object.keys(each.metrics ?? {})))], [epochs]);
  const name = names.includes(chosen) ? chosen : names[0] ?? "";
  const { xs, lines } = useMemo(() => linesOf(tasks, epochs, name), [epochs, name]);
  if (!name || xs.length === 0) return null;
  return html`
    <section aria-labelledby="curves"><h2 id="curves">${t("compare.curves")}</h2>
      <label class="row"><span>${t("compare.figure")}</span>
        <select value=${name} onChange=${(/** @type {any} */ event) => setChosen(event.target.value)}>
          ${names.map((each) => html`<option value=${each}>${named("metric", each)}</option>`)}</select></label>
      <${Curve} title=${t("compare.curve_of", { name: named("metric", name) })} xLabel=${t("compare.epoch")}
        xs=${xs} lines=${lines} asPercent=${!name.includes("loss")} />
    </section>`;
}

/** A task without epochs, such as one that took over an earlier model, has no line. @param {string} taskId */
async function readEpochs(taskId) {
  try {
    const page = /** @type {{epochs: Epochs}} */ (
      await get(taskPath(taskId, "metrics"), { limit: MOST_EPOCHS }));
    return page.epochs;
  } catch {
    return [];
  }
}

/** One line for each task: the figure in the epochs of its whole training, not of the folds that score it. Pure.
 * @param {string[]} tasks @param {Epochs[]} epochs @param {string} name */
function linesOf(tasks, epochs, name) {
  const whole = epochs.map((ofTask) => ofTask.filter((each) => !each.part && each.metrics?.[name] !== undefined));
  const xs = [...new Set(whole.flat().map((each) => each.epoch))].sort((one, other) => one - other);
  const lines = whole.map((ofTask, row) => {
    const byEpoch = new Map(ofTask.map((each) => [each.epoch, each.metrics?.[name] ?? null]));
    return { label: shortId(tasks[row]), values: xs.map((x) => byEpoch.get(x) ?? null) };
  });
  return { xs, lines: lines.filter((line) => line.values.some((value) => value !== null)) };
}
