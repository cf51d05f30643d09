// The options of a training as a form holds them: drafts of what a person has touched, and what is sent of them. Pure.

/** A value of an option as the API has it. @typedef {string | number | boolean | string[]} OptionValue */
/** What stands in a field: the text of an input, whether a box is checked, or the checked names of a list. A list of
 * free texts stands in one input, with commas between.
 * @typedef {string | boolean | string[]} Draft */
/**
 * The part of JSON Schema that options use.
 *
 * @typedef {{type?: string, description?: string, default: OptionValue, enum?: string[], minimum?: number,
 *   maximum?: number, multipleOf?: number, maxLength?: number, pattern?: string, examples?: string[],
 *   items?: {enum?: string[]}, anyOf?: {type?: string, enum?: string[]}[]}} OptionSchema anyOf: a number or one of some
 *   words
 */
/** The options of a trainType: `options` of GET /v1/train-types. @typedef {{properties: Record<string, OptionSchema>}} OptionsSchema */
/** Options by their names. @typedef {Record<string, OptionValue>} OptionValues */
/** Only the fields that were touched have one. @typedef {Record<string, Draft>} Drafts */

/** @param {unknown} one @param {unknown} other */
const isSame = (one, other) => JSON.stringify(one) === JSON.stringify(other);

/** The value of a draft. An empty field stands for the default. @param {OptionSchema} option @param {Draft} draft */
function valueOf(option, draft) {
  if (draft === "") return option.default;
  if (option.items && typeof draft === "string") return draft.split(",").map((each) => each.trim()).filter(Boolean);
  const isNumber = option.type === "integer" || option.type === "number";
  const mayBeNumber = isNumber || (option.anyOf ?? []).some((kind) => kind.type === "integer" || kind.type === "number");
  // A word stays a text, so that the server can say what is allowed.
  return isNumber || (mayBeNumber && !Number.isNaN(Number(draft))) ? Number(draft) : draft;
}

/**
 * What to send: the options whose value is another one than before. null stands for the default.
 *
 * @param {OptionsSchema} schema
 * @param {Drafts} drafts
 * @param {OptionValues} [before] the options that were given the last time
 * @returns {Record<string, OptionValue | null>}
 */
export function changedOptions(schema, drafts, before = {}) {
  /** @type {Record<string, OptionValue | null>} */
  const changed = {};
  for (const [name, draft] of Object.entries(drafts)) {
    const option = schema.properties[name];
    if (!option) continue;
    const value = valueOf(option, draft);
    if (isSame(value, before[name] ?? option.default)) continue;
    changed[name] = isSame(value, option.default) ? null : value;
  }
  return changed;
}

/**
 * The refusals of an error of the API that are about options, by the name of the option.
 *
 * @param {unknown} error
 * @returns {Record<string, string>}
 */
export function refusedOptions(error) {
  const fields = /** @type {{fields?: Record<string, string>}} */ (error)?.fields ?? {};
  const prefix = "options.";
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => name.startsWith(prefix)).map(([name, text]) => [name.slice(prefix.length), text]));
}
