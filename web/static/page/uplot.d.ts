// The types of uplot.js, for the linter.
export { default } from "uplot";
