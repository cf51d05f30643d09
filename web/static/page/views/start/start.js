// The view that starts a training: choose a folder or drop photos, see what is found in them, and begin.
import { styleSheet } from "../../parts/style_sheet.js";
import { html, useEffect, useRef } from "../../preact.js";
import { useMayWrite } from "../../session.js";
import { t } from "../../words.js";
import { FolderBrowser } from "./folder_browser.js";
import { FolderStep } from "./folder_step.js";
import { DropCard } from "./drop_card.js";
import { UploadStep } from "./upload_step.js";

await styleSheet("start");

/** @param {{route: import("../../router.js").Route}} props */
export function Start({ route }) {
  const mayWrite = useMayWrite();
  const { path, query } = route;
  const isUpload = path[1] === "upload";
  const step = isUpload ? "upload" : query.folder ? `folder ${query.folder}` : "ways";
  const shown = useRef(step);
  useEffect(() => {
    // The link that led here is gone, and with it the focus.
    if (shown.current !== step) document.getElementById("main")?.focus();
    shown.current = step;
  }, [step]);
  return html`
    <h1>${t("start.title")}</h1>
    ${!mayWrite ? html`<div class="state trouble"><p>${t("start.read_only")}</p></div>`
      : isUpload ? html`<${UploadStep} query=${query} />`
      : query.folder ? html`<${FolderStep} key=${query.folder} query=${query} />`
      : html`<${Ways} at=${query.at ?? ""} />`}`;
}

/** Where the photos are: on the server, or with the person. @param {{at: string}} props at: the folder that is open */
const Ways = ({ at }) => html`
  <div class="step">
    <p class="lead">${t("start.lead")}</p>
    <div class="ways">
      <section class="card" aria-labelledby="way-drop"><h2 id="way-drop">${t("start.way_drop")}</h2><${DropCard} /></section>
      <section class="card" aria-labelledby="way-folder"><h2 id="way-folder">${t("start.way_folder")}</h2>
        <${FolderBrowser} at=${at} /></section>
    </div>
  </div>`;
