// Curves with a table of the same figures. uPlot is loaded when the first one is seen, or a moment later.
import { html, useEffect, useRef, useState } from "../preact.js";
import { locale, number, t } from "../words.js";
import { DataTable } from "./data_table.js";

/**
 * label: what the line shows. values: one for each x; null where there is none. color: the name of a token.
 *
 * @typedef {{label: string, values: (number | null)[], color?: string}} Line
 */

/** A canvas is drawn again at most this often. */
const REDRAW_MS = 250;
/** Curves below the screen are drawn then, because whoever prints the page has not seen them all. */
const DRAWN_ANYWAY_MS = 1500;
const HEIGHT_PX = 220;
/** What is counted, such as epochs, has nothing between two whole numbers. */
const WHOLE_STEPS = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const COLORS = ["--line-1", "--line-2", "--line-3", "--line-4", "--line-5"];

/** @param {string} token */
const ofLook = (token) => getComputedStyle(document.documentElement).getPropertyValue(token).trim();

/**
 * @param {{title: string, xLabel: string, xs: number[], lines: Line[], asPercent?: boolean}} props
 */
export function Curve({ title, xLabel, xs, lines, asPercent = false }) {
  const place = useRef(/** @type {HTMLDivElement | null} */ (null));
  const isSeen = useSeen(place);
  usePlot(place, isSeen, { xLabel, xs, lines, asPercent });
  return html`
    <figure class="curve">
      <figcaption>${title}</figcaption>
      <div class="plot" ref=${place} role="img" aria-label=${t("parts.curve_of", { title })}></div>
      <details><summary>${t("parts.as_table", { title })}</summary>
        <${Figures} xLabel=${xLabel} xs=${xs} lines=${lines} asPercent=${asPercent} /></details>
    </figure>`;
}

/** @param {{xLabel: string, xs: number[], lines: Line[], asPercent: boolean}} props */
function Figures({ xLabel, xs, lines, asPercent }) {
  const style = asPercent ? /** @type {const} */ ({ style: "percent", maximumFractionDigits: 1 }) : { maximumSignificantDigits: 4 };
  /** @param {number | null | undefined} value */
  const shown = (value) => (value === null || value === undefined ? "" : number(value, style));
  const title = lines.map((line) => line.label).join(", ");
  return html`
    <${DataTable} title=${title} heads=${[xLabel, ...lines.map((line) => line.label)]}>
      ${xs.map((x, row) => html`<tr><th scope="row">${number(x)}</th>
        ${lines.map((line) => html`<td>${shown(line.values[row])}</td>`)}</tr>`)}<//>`;
}

/** Whether an element has come into view, or could have. @param {{current: Element | null}} place */
function useSeen(place) {
  const [isSeen, setIsSeen] = useState(false);
  useEffect(() => {
    if (isSeen || !place.current) return undefined;
    const observer = new IntersectionObserver((entries) => setIsSeen(entries.some((entry) => entry.isIntersecting)));
    observer.observe(place.current);
    const timer = setTimeout(() => setIsSeen(true), DRAWN_ANYWAY_MS);
    return () => {
      observer.disconnect();
      clearTimeout(timer);
    };
  }, [isSeen]);
  return isSeen;
}

/**
 * @param {{current: HTMLDivElement | null}} place
 * @param {boolean} isSeen
 * @param {{xLabel: string, xs: number[], lines: Line[], asPercent: boolean}} shown
 */
function usePlot(place, isSeen, shown) {
  const plot = useRef(/** @type {import("uplot") | null} */ (null));
  const newest = useRef(shown);
  newest.current = shown;
  const form = JSON.stringify([shown.xLabel, shown.asPercent, shown.lines.map((line) => line.label)]);
  useEffect(() => {
    if (!isSeen) return undefined;
    let isWanted = true;
    const dark = matchMedia("(prefers-color-scheme: dark)");
    const draw = async () => {
      const { default: UPlot } = await import("../uplot.js");
      if (!isWanted || !place.current) return;
      plot.current?.destroy();
      plot.current = new UPlot(options(newest.current, place.current.clientWidth), dataOf(newest.current), place.current);
    };
    const observer = new ResizeObserver(() => {
      if (place.current) plot.current?.setSize({ width: place.current.clientWidth, height: HEIGHT_PX });
    });
    if (place.current) observer.observe(place.current);
    dark.addEventListener("change", draw);
    draw();
    return () => {
      isWanted = false;
      observer.disconnect();
      dark.removeEventListener("change", draw);
      plot.current?.destroy();
      plot.current = null;
    };
  }, [isSeen, form]);
  const lastDrawn = useRef(0);
  useEffect(() => {
    const pause = Math.max(0, lastDrawn.current + REDRAW_MS - Date.now());
    const timer = setTimeout(() => {
      lastDrawn.current = Date.now();
      plot.current?.setData(dataOf(newest.current));
    }, pause);
    return () => clearTimeout(timer);
  }, [shown.xs, shown.lines]);
}

/** @param {{xs: number[], lines: Line[]}} shown @returns {import("uplot").AlignedData} */
const dataOf = ({ xs, lines }) => [xs, ...lines.map((line) => line.values)];

/**
 * @param {{xLabel: string, xs: number[], lines: Line[], asPercent: boolean}} shown
 * @param {number} width
 * @returns {import("uplot").Options}
 */
function options({ xLabel, xs, lines, asPercent }, width) {
  const axis = { stroke: ofLook("--text"), grid: { stroke: ofLook("--border"), width: 1 }, ticks: { stroke: ofLook("--border") } };
  const format = new Intl.NumberFormat(locale, asPercent ? { style: "percent" } : { maximumSignificantDigits: 3 });
  /** @param {number | null} value */
  const shown = (value) => (value === null || value === undefined ? "–" : format.format(value));
  const steps = xs.every(Number.isInteger) ? WHOLE_STEPS : undefined;
  return {
    width,
    height: HEIGHT_PX,
    scales: { x: { time: false } },
    legend: { live: true },
    axes: [{ ...axis, label: xLabel, labelSize: 20, incrs: steps }, { ...axis, size: 56, values: (_, values) => values.map(shown) }],
    series: [
      { label: xLabel },
      ...lines.map((line, row) => ({
        label: line.label, stroke: ofLook(line.color ?? COLORS[row % COLORS.length]), width: 2,
        points: { show: true, size: 4 }, value: (/** @type {unknown} */ _, /** @type {number | null} */ value) => shown(value),
      })),
    ],
  };
}
