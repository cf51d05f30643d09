// Shares as people read them.
import { number, percent, t } from "./words.js";

/** From this many photos on, a tenth of a percent means something. */
const FINE_FROM_PICTURES = 1000;
/** What floating point may add to a whole number of percent. */
const ROUNDING = 1e-9;
/** Characters of a name in a sentence. */
const LONGEST_NAME = 60;

/** A number that can be shown, or null. @param {unknown} value @returns {number | null} */
export const finite = (value) => (typeof value === "number" && Number.isFinite(value) ? value : null);

/**
 * A share of 0 to 1. Only a share of exactly 0 or 1 is written as 0 % or 100 %.
 *
 * @param {number | null | undefined} value
 * @param {number} [pictures] on how many it was counted
 */
export function share(value, pictures = 0) {
  const known = finite(value);
  if (known === null) return t("words.unknown_share");
  const digits = pictures >= FINE_FROM_PICTURES ? 1 : 0;
  const rounded = Number(known.toFixed(digits + 2));
  const least = 10 ** -(digits + 2);
  if (rounded === 0 && known > 0) return t("words.less_than", { share: percent(least, digits) });
  if (rounded === 1 && known < 1) return t("words.more_than", { share: percent(1 - least, digits) });
  return percent(known, digits);
}

/** The name of a class in a sentence. The longest ones would hide what is said. @param {string} label */
export const shortened = (label) => (label.length > LONGEST_NAME ? `${label.slice(0, LONGEST_NAME - 1)}…` : label);

/** An interval of a share, rounded outwards: "87 to 94 %"; "" where there is none.
 * @param {number | null | undefined} low @param {number | null | undefined} high */
export function shareRange(low, high) {
  const first = finite(low);
  const last = finite(high);
  if (first === null || last === null) return "";
  const from = number(Math.floor(100 * first + ROUNDING));
  return t("words.range", { from, to: percent(Math.ceil(100 * last - ROUNDING) / 100) });
}
