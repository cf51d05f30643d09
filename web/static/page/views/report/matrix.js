// The table of mix-ups. One stop of the tabulator key; the arrow keys move between its cells.
import { html, useRef, useState } from "../../preact.js";
import { number, t } from "../../words.js";
import { share } from "../../shares.js";

/** The strongest colour of a cell, in percent. With more, its number would be hard to read. */
const MOST_COLOR = 45;
/** @type {Record<string, [number, number]>} */
const MOVES = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };

/**
 * @param {{labels: string[], matrix: number[][], shown: number[], unit: "photos" | "pixels",
 *   open?: (truth: number, answer: number) => void}} props
 *   shown: the classes of the table. open: shows the photos of a cell
 */
export function Matrix({ labels, matrix, shown, unit, open }) {
  const table = useRef(/** @type {HTMLTableElement | null} */ (null));
  const [at, setAt] = useState({ row: 0, column: 0 });
  const last = shown.length - 1;
  const here = { row: Math.min(at.row, last), column: Math.min(at.column, last) };
  /** @param {KeyboardEvent} event */
  function onKeyDown(event) {
    const move = MOVES[event.key];
    if (!move) return;
    event.preventDefault();
    const row = Math.min(last, Math.max(0, here.row + move[0]));
    const column = Math.min(last, Math.max(0, here.column + move[1]));
    setAt({ row, column });
    /** @type {HTMLElement | null | undefined} */ (table.current?.querySelector(`[data-cell="${row} ${column}"]`))?.focus();
  }
  return html`
    <div class="wide matrix"><table role="grid" ref=${table} onKeyDown=${onKeyDown} aria-label=${t("report.matrix")}>
      <thead><tr><th scope="col">${t("report.is_taken_for")}</th>
        ${shown.map((answer) => html`<th scope="col" title=${labels[answer]}><bdi class="name">${labels[answer]}</bdi></th>`)}</tr></thead>
      <tbody>${shown.map((truth, row) => html`<tr>
        <th scope="row" title=${labels[truth]}><bdi class="name">${labels[truth]}</bdi></th>
        ${shown.map((answer, column) => html`<${Cell} ...${{ labels, matrix, truth, answer, unit, open }} place=${`${row} ${column}`}
          isHere=${row === here.row && column === here.column} come=${() => setAt({ row, column })} />`)}</tr>`)}
      </tbody></table></div>`;
}

/**
 * @param {{labels: string[], matrix: number[][], truth: number, answer: number, unit: string, place: string, isHere: boolean,
 *   come: () => void, open?: (truth: number, answer: number) => void}} props
 */
function Cell({ labels, matrix, truth, answer, unit, place, isHere, come, open }) {
  const count = matrix[truth][answer];
  const total = matrix[truth].reduce((sum, each) => sum + each, 0);
  const part = total ? count / total : 0;
  const shown = unit === "pixels" ? share(part) : number(count);
  const color = { "--part": `${count ? Math.max(6, MOST_COLOR * part) : 0}%` };
  const look = truth === answer ? "right" : count ? "wrong" : "none";
  const focus = { "data-cell": place, tabindex: isHere ? 0 : -1, onFocus: come };
  if (!open || !count) return html`<td class=${look} style=${color} ...${focus}>${shown}</td>`;
  const named = { count, truth: labels[truth], answer: labels[answer] };
  const title = truth === answer ? t("report.cell_right", named) : t("report.cell_wrong", named);
  return html`<td class=${look} style=${color}>
    <button type="button" class="bare" ...${focus} aria-label=${title} title=${title}
      onClick=${() => open(truth, answer)}>${shown}</button></td>`;
}
