// What the page says. All words are in words/<language>.json; numbers and times are written by Intl.

/** @typedef {typeof import("./words/en.json")} Words */
/**
 * The name of a message, such as "now.title".
 *
 * @typedef {{[View in keyof Words & string]: `${View}.${keyof Words[View] & string}`}[keyof Words & string]} Message
 */

/** The languages that there is a file for. The first one is the usual one. */
const LANGUAGES = ["en"];

/** @type {Record<string, Record<string, string>>} */
let words = {};
let language = LANGUAGES[0];
/** The language with its region, as in "en-GB", by which numbers and times are written. */
export let locale = LANGUAGES[0];
/** @type {Intl.PluralRules} */
let plurals;

/** Load the words of the best language that there is for this browser. */
export async function loadWords() {
  locale = navigator.languages.find((each) => LANGUAGES.includes(each.slice(0, 2)) && isKnown(each)) ?? LANGUAGES[0];
  language = locale.slice(0, 2);
  const answer = await fetch(new URL(`words/${language}.json`, import.meta.url));
  words = await answer.json();
  plurals = new Intl.PluralRules(language);
  document.documentElement.lang = language;
}

/** Whether Intl takes it: some browsers without a setting say "en-US@posix". @param {string} name */
function isKnown(name) {
  try {
    return Intl.getCanonicalLocales(name).length > 0;
  } catch {
    return false;
  }
}

/**
 * A message with its values. In a message, `{name}` stands for a value, and `{count|one photo|{count} photos}` for one
 * of several forms, in the order one, other.
 *
 * @param {Message} message
 * @param {Record<string, string | number>} [values]
 * @returns {string}
 */
export function t(message, values = {}) {
  const [view, name] = message.split(".");
  return filled(messageOf(view, name) ?? message, values);
}

/** A name may come from the server or a stranger, so "constructor" must not find what every object inherits.
 * @param {string} view @param {string} name @returns {string | undefined} */
const messageOf = (view, name) =>
  Object.hasOwn(words, view) && Object.hasOwn(words[view], name) ? words[view][name] : undefined;

/** @param {string} text @param {Record<string, string | number>} values */
function filled(text, values) {
  const chosen = text.replace(/\{(\w+)\|([^|]*)\|((?:[^{}]|\{\w+\})*)\}/g, (_, key, one, other) =>
    plurals.select(Number(values[key])) === "one" ? one : other);
  return chosen.replace(/\{(\w+)\}/g, (whole, key) => {
    const value = values[key];
    return value === undefined ? whole : typeof value === "number" ? number(value) : printable(value);
  });
}

/** Control characters, and marks that turn the direction of writing. */
const UNPRINTABLE = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** A name that a stranger has chosen, for a sentence: one such mark in it would turn the rest of the sentence around.
 * @param {string} text */
const printable = (text) => text.replace(UNPRINTABLE, (mark) => `\\u${mark.charCodeAt(0).toString(16).padStart(4, "0")}`);

/**
 * The message of a name that the server made, such as a state or a phase; the name itself if there is no message.
 *
 * @param {keyof Words} view
 * @param {string} name
 * @param {Record<string, string | number>} [values] of the message
 */
export const named = (view, name, values = {}) => filled(messageOf(view, name) ?? name.replaceAll("_", " "), values);

/** Whether there is a message of that name. @param {keyof Words} view @param {string} name */
export const isNamed = (view, name) => messageOf(view, name) !== undefined;

/** @param {number} value @param {Intl.NumberFormatOptions} [options] */
export const number = (value, options) => new Intl.NumberFormat(locale, options).format(value);

/** A share of 0 to 1 as percent. @param {number} share @param {number} [digits] */
export const percent = (share, digits = 0) =>
  number(share, { style: "percent", minimumFractionDigits: digits, maximumFractionDigits: digits });

/** The end of a taskId, to tell tasks from each other. All tasks of an hour begin alike. @param {string} taskId */
export const shortId = (taskId) => taskId.slice(-6);

/** A MB has 2^20 bytes, as in the settings and the sentences of the server. @param {number} size */
export function bytes(size) {
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let step = 0;
  while (step < units.length - 1 && Math.round(size / 1024 ** step) >= 1024) step += 1;
  const amount = size / 1024 ** step;
  // Three digits, as size_in_words in protocol/sizes.py has them: a limit of 2000 MB must not read as 2 GB.
  const digits = !step || amount >= 99.95 ? 0 : amount < 9.995 ? 2 : 1;
  const unitDisplay = step ? "short" : "long";
  return number(amount, { style: "unit", unit: units[step], unitDisplay, maximumFractionDigits: digits });
}

/** A time of the server (ISO 8601): the time of day if it is of today, else date and time.
 * @param {string | null | undefined} iso */
export function time(iso) {
  if (!iso) return "";
  const at = new Date(iso);
  const today = at.toDateString() === new Date().toDateString();
  /** @type {Intl.DateTimeFormatOptions} */
  const day = { day: "numeric", month: "short", year: sameYear(at) ? undefined : "numeric" };
  return new Intl.DateTimeFormat(locale, { ...(today ? {} : day), hour: "2-digit", minute: "2-digit" }).format(at);
}

/** @param {Date} at */
const sameYear = (at) => at.getFullYear() === new Date().getFullYear();

/** Date and time to the second, for a title. @param {string | null | undefined} iso */
export const fullTime = (iso) =>
  iso ? new Intl.DateTimeFormat(locale, { dateStyle: "medium", timeStyle: "medium" }).format(new Date(iso)) : "";

/** The unit in which people would give so many seconds. @param {number} seconds @returns {[number, string]} */
function inUnits(seconds) {
  if (seconds < 60) return [seconds, "second"];
  if (seconds < 5400) return [seconds / 60, "minute"];
  if (seconds < 172800) return [seconds / 3600, "hour"];
  return [seconds / 86400, "day"];
}

/** A length of time in its largest sensible unit: "40 seconds", "3 minutes", "1.5 hours". @param {number} seconds */
export function duration(seconds) {
  const [value, unit] = inUnits(seconds);
  const digits = (unit === "hour" || unit === "day") && value < 10 ? 1 : 0;
  return number(value, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: digits });
}

/** Nobody can foretell a training to the second. @param {number} seconds @param {number} [least] */
const inFives = (seconds, least = 5) => (seconds < 60 ? Math.max(least, Math.round(seconds / 5) * 5) : seconds);

/** A length of time that was estimated: "40 seconds", "3 minutes". @param {number} seconds */
export const estimate = (seconds) => duration(inFives(seconds));

/** A range of times that was estimated: "3 to 5 minutes". @param {readonly [number, number] | number[]} range seconds */
export function durationRange(range) {
  const [low, high] = [inFives(range[0], 0), inFives(range[1])];
  const [most, unit] = inUnits(high);
  const least = low / (high / most || 1);
  const digits = (unit === "hour" || unit === "day") && most < 10 ? 1 : 0;
  const from = number(least, { maximumFractionDigits: digits });
  const to = number(most, { maximumFractionDigits: digits });
  if (from === to) return t("words.about", { duration: duration(high) });
  const end = number(most, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: digits });
  return Number(least.toFixed(digits)) === 0 ? t("words.below", { to: end }) : t("words.range", { from, to: end });
}

/** How long ago a time was: "3 minutes ago". @param {string} iso */
export function ago(iso) {
  const [value, unit] = inUnits(Math.max(0, (Date.now() - Date.parse(iso)) / 1000));
  const format = new Intl.RelativeTimeFormat(locale, { numeric: "auto" });
  return format.format(-Math.round(value), /** @type {Intl.RelativeTimeFormatUnit} */ (unit));
}
