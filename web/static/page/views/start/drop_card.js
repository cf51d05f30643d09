// The way that begins with photos of the person: drop them, choose them, or take them with a camera.
import { html } from "../../preact.js";
import { go, link } from "../../router.js";
import { useStore } from "../../store.js";
import { t } from "../../words.js";
import { addClass, addFound, collection } from "./collection.js";
import { DropPlace } from "../../parts/drop_place.js";
import { LimitsInWords, UploadsOff, useUploadLimits } from "./upload_limits.js";

export function DropCard() {
  const limits = useUploadLimits();
  const { classes } = useStore(collection);
  if (limits && !limits.enabled) return html`<${UploadsOff} />`;
  /** @param {import("../../parts/dropped_files.js").FoundFile[]} found */
  const onFound = (found) => {
    addFound(found, limits?.maxPictureBytes ?? Infinity);
    go(["start", "upload"]);
  };
  const startEmpty = () => {
    for (let count = collection.get().classes.length; count < 2; count += 1) addClass();
    go(["start", "upload"]);
  };
  return html`
    ${classes.length > 0 && html`<p><a href=${link(["start", "upload"])}>${t("start.go_on_collecting")}</a></p>`}
    <${DropPlace} onFound=${onFound} label=${t("start.way_drop")} withFolders>
      <p><strong>${t("start.drop_here")}</strong></p>
      <p class="muted small">${t("start.drop_how")}</p><//>
    <p class="by-camera"><button type="button" class="secondary" onClick=${startEmpty}>${t("start.empty_classes")}</button></p>
    ${limits && html`<${LimitsInWords} limits=${limits} />`}`;
}
