// Long lists: the first entries, and a button for further ones.
import { html, useState } from "../../preact.js";
import { t } from "../../words.js";

/**
 * @template T
 * @param {T[]} all
 * @param {number} first so many are shown at once
 * @param {number} [step] so many are added at a time
 * @returns {{shown: T[], button: unknown}}
 */
export function useMore(all, first, step = first * 4) {
  const [most, setMost] = useState(first);
  const left = all.length - most;
  const button = left > 0 && html`
    <p><button type="button" class="secondary small" onClick=${() => setMost(most + step)}>
      ${t("report.show_more", { count: Math.min(step, left), all: all.length })}</button></p>`;
  return { shown: all.slice(0, most), button };
}
