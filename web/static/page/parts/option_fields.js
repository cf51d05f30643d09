// The fields of a form for the options of a trainType, drawn from their JSON Schema (see options.js).
import { html } from "../preact.js";
import { named, t } from "../words.js";
import { shownOption } from "./shown_option.js";
import { styleSheet } from "./style_sheet.js";

/** @typedef {import("./options.js").OptionSchema} OptionSchema */
/** @typedef {import("./options.js").OptionValue} OptionValue */
/** @typedef {import("./options.js").Draft} Draft */

await styleSheet("option_fields");

/** What most people would change. All other options stand below, folded away. */
const FIRST = ["maxSeconds", "timeBudget", "epochs", "exports"];

/**
 * The fields stand in a form of the caller, which the browser checks before it is submitted.
 *
 * @param {{schema: import("./options.js").OptionsSchema, drafts: import("./options.js").Drafts,
 *   onDrafts: (drafts: import("./options.js").Drafts) => void, before?: import("./options.js").OptionValues,
 *   refused?: Record<string, string>, id?: string}} props
 *   drafts: what was touched so far. onDrafts: takes the drafts after a change. before: the options that were given the
 *   last time. refused: why the server refused an option. id: begins the ids of the fields; two forms need two.
 */
export function OptionFields({ schema, drafts, onDrafts, before = {}, refused = {}, id = "option" }) {
  const names = Object.keys(schema.properties);
  const first = FIRST.filter((name) => names.includes(name));
  const others = names.filter((name) => !first.includes(name));
  const isOpen = others.some((name) => refused[name] || name in drafts || name in before);
  /** @param {string} name */
  const field = (name) => html`<${OptionField} key=${name} id=${`${id}-${name}`} name=${name} option=${schema.properties[name]}
    draft=${drafts[name] ?? before[name] ?? schema.properties[name].default} refusal=${refused[name] ?? ""}
    change=${(/** @type {Draft} */ draft) => onDrafts({ ...drafts, [name]: draft })} />`;
  return html`
    <div class="options">${first.map(field)}</div>
    ${others.length > 0 && html`<details class="more-options" open=${isOpen}><summary>${t("options.more")}</summary>
      <div class="options">${others.map(field)}</div></details>`}`;
}

/**
 * @param {{id: string, name: string, option: OptionSchema, draft: Draft | OptionValue, refusal: string,
 *   change: (draft: Draft) => void}} props
 */
function OptionField({ id, name, option, draft, refusal, change }) {
  const label = named("option", name);
  const hint = html`<small id=${`${id}-hint`}>${option.description ?? ""}${option.description ? ". " : ""}
    ${t("options.usual", { value: shownOption(option.default) })}</small>
    ${refusal && html`<small class="refused" id=${`${id}-refusal`}>${refusal}</small>`}`;
  const common = {
    "aria-describedby": refusal ? `${id}-hint ${id}-refusal` : `${id}-hint`,
    "aria-invalid": refusal ? "true" : null,
  };
  if (option.items?.enum) {
    const chosen = /** @type {string[]} */ (draft);
    return html`<fieldset ...${common}><legend>${label}</legend>
      <${Choices} id=${id} choices=${option.items.enum} chosen=${chosen} change=${change} />${hint}</fieldset>`;
  }
  if (option.type === "boolean") {
    return html`<div><label for=${id}><input type="checkbox" id=${id} checked=${draft} ...${common}
      onChange=${(/** @type {any} */ event) => change(event.target.checked)} />${label}</label>${hint}</div>`;
  }
  return html`<div><label for=${id}>${label}</label><${Input} ...${{ id, option, draft, common, change }} />${hint}</div>`;
}

/**
 * @param {{id: string, option: OptionSchema, draft: Draft | OptionValue, common: object, change: (draft: Draft) => void}} props
 */
function Input({ id, option, draft, common, change }) {
  const onInput = (/** @type {any} */ event) => change(event.target.value);
  if (option.enum) {
    return html`<select id=${id} value=${draft} onChange=${onInput} ...${common}>${option.enum.map((choice) => html`
      <option key=${choice} value=${choice} selected=${choice === draft}>${named("choice", choice)}</option>`)}</select>`;
  }
  if (option.type === "integer" || option.type === "number") {
    const step = option.type === "integer" ? option.multipleOf ?? 1 : "any";
    return html`<input type="number" id=${id} min=${option.minimum} max=${option.maximum} step=${step} value=${draft}
      placeholder=${String(option.default)} onInput=${onInput} ...${common} />`;
  }
  const text = Array.isArray(draft) ? draft.join(", ") : draft;
  const examples = option.examples ?? [];
  return html`<input type="text" id=${id} value=${text} maxlength=${option.maxLength} pattern=${option.pattern}
    list=${examples.length > 0 ? `${id}-examples` : null} onInput=${onInput} ...${common} />
    ${examples.length > 0 && html`<datalist id=${`${id}-examples`}>${examples.map((example) => html`
      <option key=${example} value=${example}>${named("choice", example)}</option>`)}</datalist>`}`;
}

/**
 * @param {{id: string, choices: string[], chosen: string[], change: (chosen: string[]) => void}} props
 */
const Choices = ({ id, choices, chosen, change }) => html`<div class="choices">${choices.map((choice) => html`
  <label key=${choice} for=${`${id}-${choice}`}><input type="checkbox" id=${`${id}-${choice}`} checked=${chosen.includes(choice)}
    onChange=${(/** @type {any} */ event) => change(
      choices.filter((each) => (each === choice ? event.target.checked : chosen.includes(each))))} />
    ${named("choice", choice)}</label>`)}</div>`;
