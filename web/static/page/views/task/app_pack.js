// The programs of the app pack, to copy into an app, and the card of the model.
import { useOnce } from "../../loading.js";
import { CopyButton } from "../../parts/copy_button.js";
import { Shown } from "../../parts/states.js";
import { html, useState } from "../../preact.js";
import { named, t } from "../../words.js";
import { membersOf, textOf } from "./zip_reader.js";

/** @typedef {import("./zip_reader.js").Member} Member */

/** By the folder of the pack, in the order in which they are shown. */
const LANGUAGES = ["android", "ios", "web", "python"];
const CARD = "MODEL_CARD.md";

/** @param {{url: string, sizeBytes: number}} props url: of app_pack.zip */
export function AppPack({ url, sizeBytes }) {
  const read = useOnce(() => membersOf(url, sizeBytes), [url, sizeBytes]);
  return html`<${Shown} of=${read}>${(/** @type {Member[]} */ members) => html`
    <p>${t("task.pack_means")} <a href=${url} download>${t("task.pack_download")}</a></p>
    ${LANGUAGES.map((folder) => html`<${Texts} key=${folder} url=${url} title=${named("language", folder)}
      members=${members.filter((member) => member.name.startsWith(`${folder}/`))} />`)}
    <${Texts} url=${url} title=${t("task.card")} members=${members.filter((member) => member.name === CARD)} />`}<//>`;
}

/** Texts that are read when somebody unfolds them. @param {{url: string, title: string, members: Member[]}} props */
function Texts({ url, title, members }) {
  const [isOpen, setIsOpen] = useState(false);
  if (members.length === 0) return null;
  return html`<details class="task-texts" onToggle=${(/** @type {any} */ event) => setIsOpen(event.target.open)}>
    <summary>${title}</summary>
    ${isOpen && members.map((member) => html`<${OneText} key=${member.name} url=${url} member=${member} />`)}</details>`;
}

/** @param {{url: string, member: Member}} props */
function OneText({ url, member }) {
  const read = useOnce(() => textOf(url, member), [url, member.name]);
  return html`<${Shown} of=${read}>${(/** @type {string} */ text) => html`
    <div class="row task-text-name"><code>${member.name}</code> <${CopyButton} text=${text} what=${member.name} /></div>
    <pre tabindex="0" role="region" aria-label=${member.name}><code>${text}</code></pre>`}<//>`;
}
