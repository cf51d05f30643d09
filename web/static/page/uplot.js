// The only file that imports uPlot. uplot.d.ts has its types.
export { default } from "../vendor/uplot/uPlot.esm.js";
