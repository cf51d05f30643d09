// The photos behind one number of the table of mix-ups.
import { html, useEffect, useMemo, useRef } from "../../preact.js";
import { go } from "../../router.js";
import { t } from "../../words.js";
import { share } from "../../shares.js";
import { PhotoGrid } from "./photo_grid.js";
import { answersOf } from "./record.js";

/** @param {{task: import("./record.js").Task, metrics: import("./record.js").Metrics, route: import("./section.js").Route}} props */
export function CellPhotos({ task, metrics, route }) {
  const title = useRef(/** @type {HTMLElement | null} */ (null));
  const opener = useRef(/** @type {Element | null} */ (null));
  const { truth, answer, ...rest } = route.query;
  const photos = useMemo(() => answersOf(metrics)
    .filter((given) => given.truth === truth && given.predicted === answer)
    .sort((one, other) => other.probability - one.probability)
    .map((given) => ({ file: given.file, said: /** @type {[string, string][]} */ ([[t("report.sure"), share(given.probability)]]) })),
  [metrics, truth, answer]);
  useEffect(() => {
    opener.current = document.activeElement;
    title.current?.scrollIntoView({ block: "nearest" });
    title.current?.focus({ preventScroll: true });
  }, [truth, answer]);
  function close() {
    go(route.path, rest);
    if (opener.current instanceof HTMLElement) opener.current.focus();
  }
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key === "Escape" && !(event.target instanceof Element && event.target.closest("dialog"))) close();
  };
  const named = { count: photos.length, truth, answer };
  return html`
    <div class="card cell-photos" onKeyDown=${onKeyDown}>
      <h3 ref=${title} tabindex="-1">${truth === answer ? t("report.cell_right", named) : t("report.cell_wrong", named)}</h3>
      <${PhotoGrid} key=${JSON.stringify([truth, answer])} taskId=${task.taskId} photos=${photos} />
      <button type="button" class="secondary" onClick=${close}>${t("parts.close")}</button>
    </div>`;
}
