// What is said of a photo and of a decision about it.
import { t } from "../../words.js";

/** @param {import("./saver.js").Decision | null} decision */
export function decisionInWords(decision) {
  if (!decision) return t("labels.undecided");
  if (decision.action === "label") return t("labels.is_class", { label: decision.label });
  return decision.action === "exclude" ? t("labels.excluded") : t("labels.kept");
}

/** @param {import("./candidates.js").Candidate} photo */
export function whyInWords({ why, likely }) {
  switch (why) {
    case "looks_wrong": return t("labels.why_looks_wrong", { likely });
    case "doubted": return t("labels.why_doubted", { likely });
    case "mistake": return t("labels.why_mistake", { likely });
    default: return t("labels.why_corrected");
  }
}
