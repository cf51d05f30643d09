// The only file that imports uPlot. uplot.d.ts has its types.
import { styleSheet } from "./parts/style_sheet.js";

// Without its style sheet the canvas stands beside its axes.
await styleSheet("../../vendor/uplot/uPlot.min");

export { default } from "../vendor/uplot/uPlot.esm.js";
