// The photos, the selected one, and what the keys do.
import { taskPhoto } from "../../parts/photo.js";
import { LargePhoto } from "../../parts/large_photo.js";
import { html, useMemo, useRef, useState } from "../../preact.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";
import { Grid } from "./grid.js";
import { decisionInWords, whyInWords } from "./in_words.js";
import { keysOf } from "./keys.js";
import { Panel } from "./panel.js";
import { TrainAgain } from "./train_again.js";

/** @typedef {import("./saver.js").Decision} Decision */

/**
 * @param {{taskId: string, photos: import("./candidates.js").Candidate[], labels: string[], saver: import("./saver.js").Saver,
 *   mayWrite: boolean}} props
 */
export function Desk({ taskId, photos, labels, saver, mayWrite }) {
  useStore(saver.version);
  const keys = useMemo(() => keysOf(labels), [labels]);
  const list = useRef(/** @type {HTMLElement | null} */ (null));
  const field = useRef(/** @type {HTMLElement | null} */ (null));
  const history = useRef(/** @type {{at: number, before: Decision | null}[]} */ ([]));
  const [at, setAt] = useState(0);
  const [isLarge, setIsLarge] = useState(false);
  const [said, setSaid] = useState("");
  const photo = photos[at];
  const looked = photos.filter((each) => saver.decisionOf(each.file)).length;

  /** @param {number} place @param {Decision | null} decision */
  function write(place, decision) {
    saver.decide(photos[place].file, decision);
    const count = photos.filter((each) => saver.decisionOf(each.file)).length;
    setSaid(t("labels.announced", { file: photos[place].file, decision: decisionInWords(decision), count, all: photos.length }));
  }
  /** @param {Decision | null} decision */
  function decide(decision) {
    if (!mayWrite) return;
    history.current.push({ at, before: saver.decisionOf(photo.file) });
    write(at, decision);
    if (decision && at + 1 < photos.length) setAt(at + 1);
    focusList();
  }
  function undo() {
    const last = history.current.pop();
    if (!mayWrite || !last) return;
    write(last.at, last.before);
    setAt(last.at);
    focusList();
  }
  const focusList = () => /** @type {HTMLElement | null | undefined} */ (list.current?.querySelector("[aria-selected=true]"))?.focus();
  /** @param {string} key */
  function press(key) {
    if (key === "Enter") setIsLarge(true);
    else if (key === "k" || key === " ") decide({ action: "keep", label: "" });
    else if (key === "x") decide({ action: "exclude", label: "" });
    else if (key === "u" || key === "Backspace") undo();
    else if (keys.has(key)) decide({ action: "label", label: /** @type {string} */ (keys.get(key)) });
    else if (keys.size === 0 && key === "1" && photo.likely) decide({ action: "label", label: photo.likely });
    else if (keys.size === 0 && key === "c") field.current?.focus();
    else return false;
    return true;
  }
  return html`
    <div class="row label-head">
      <p class="count">${t("labels.looked_at", { count: looked, all: photos.length })}</p>
      <p class="small muted" role="status">${savingInWords(saver)}</p>
      ${mayWrite && html`<${TrainAgain} taskId=${taskId} saver=${saver} />`}
    </div>
    <p class="unseen" role="status">${said}</p>
    <p class="small muted">${!mayWrite ? t("labels.read_only") : keys.size ? t("labels.help") : t("labels.help_many")}</p>
    <div class="desk">
      <${Grid} ...${{ taskId, photos, saver, at, press, list }} select=${setAt} />
      <${Panel} ...${{ taskId, photo, labels, keys, mayWrite, field, decide, undo }} decision=${saver.decisionOf(photo.file)}
        canUndo=${history.current.length > 0} open=${() => setIsLarge(true)} />
    </div>
    ${isLarge && html`<${LargePhoto} src=${taskPhoto(taskId, photo.file, 1024)} name=${photo.file}
      close=${() => { setIsLarge(false); focusList(); }} previous=${at > 0 ? () => setAt(at - 1) : null}
      next=${at + 1 < photos.length ? () => setAt(at + 1) : null}>
        <p>${photo.label && t("labels.label_now", { label: photo.label })} ${whyInWords(photo)}</p><//>`}`;
}

/** @param {import("./saver.js").Saver} saver */
function savingInWords(saver) {
  if (saver.unsaved.size === 0) return saver.count ? t("labels.all_saved") : "";
  return saver.trouble ? t("labels.not_saved", { count: saver.unsaved.size, trouble: saver.trouble }) : t("labels.saving");
}
