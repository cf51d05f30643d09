// What can be trained, as cards to choose from. Each says whether the folder fits.
import { html } from "../../preact.js";
import { named, t } from "../../words.js";

/**
 * @param {{trainTypes: import("./folder_step.js").TrainTypeView[], checks: Record<string, import("./checks.js").Checked>,
 *   chosen: string, fit: string, isByPerson: boolean, choose: (name: string) => void}} props
 *   fit: the only trainType that the folder fits. isByPerson: whether a person has chosen, and not the page.
 */
export function TrainTypeCards({ trainTypes, checks, chosen, fit, isByPerson, choose }) {
  const guess = guessOf(trainTypes.map(({ name }) => checks[name]), fit);
  return html`
    <p role="status" class=${fit ? "guess" : "muted"}>${guess} ${isByPerson && fit && fit !== chosen && t("start.other_chosen")}</p>
    <fieldset class="cards train-types"><legend class="unseen">${t("start.what_to_train")}</legend>
      ${trainTypes.map(({ name }) => html`
      <label key=${name} class=${`card ${name === chosen ? "chosen" : ""}`}>
        <input type="radio" name="trainType" value=${name} checked=${name === chosen} onChange=${() => choose(name)} />
        <strong>${named("train_type_title", name)}</strong>
        <span>${named("train_type_sentence", name)}</span>
        <span class="small muted">${fitOf(checks[name])}</span></label>`)}
    </fieldset>`;
}

/** @param {import("./checks.js").Checked | undefined} checked */
function fitOf(checked) {
  if (!checked) return t("start.checking");
  if (!checked.report) return "";
  return t(checked.report.trainable ? "start.folder_fits" : "start.folder_does_not_fit");
}

/** What the folder looks like. @param {(import("./checks.js").Checked | undefined)[]} checks @param {string} fit */
function guessOf(checks, fit) {
  if (checks.some((checked) => !checked)) return t("start.checking");
  if (fit) return t("start.looks_like", { what: named("train_type_folder", fit) });
  if (checks.some((checked) => !checked?.report)) return t("start.not_checked");
  return t(checks.some((checked) => checked?.report?.trainable) ? "start.fits_several" : "start.fits_none");
}
