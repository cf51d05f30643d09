// The value of an option in words.
import { named, number, t } from "../words.js";

/** @param {import("./options.js").OptionValue} value */
export function shownOption(value) {
  if (Array.isArray(value) && value.length === 0) return t("options.none");
  if (Array.isArray(value)) return value.map((each) => named("choice", each)).join(", ");
  if (typeof value === "number") return number(value, { maximumSignificantDigits: 10 });
  if (typeof value === "boolean") return value ? t("options.yes") : t("options.no");
  return named("choice", value);
}
