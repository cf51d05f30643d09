// The programs of the app pack, to copy into an app, and the card of the model.
import { CopyButton } from "../../parts/copy_button.js";
import { Busy, Trouble } from "../../parts/states.js";
import { html, useEffect, useState } from "../../preact.js";
import { named, t } from "../../words.js";
import { membersOf, textOf } from "./zip_reader.js";

/** @typedef {import("./zip_reader.js").Member} Member */

/** By the folder of the pack, in the order in which they are shown. */
const LANGUAGES = ["android", "ios", "web", "python"];
const CARD = "MODEL_CARD.md";

/** @param {{url: string, sizeBytes: number}} props url: of app_pack.zip */
export function AppPack({ url, sizeBytes }) {
  const [members, setMembers] = useState(/** @type {Member[] | null} */ (null));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const read = () => {
    setTrouble(null);
    membersOf(url, sizeBytes).then(setMembers, setTrouble);
  };
  useEffect(read, [url]);
  if (trouble) return html`<${Trouble} error=${trouble} retry=${read} />`;
  if (members === null) return html`<${Busy} />`;
  const card = members.filter((member) => member.name === CARD);
  return html`
    <p>${t("task.pack_means")} <a href=${url} download>${t("task.pack_download")}</a></p>
    ${LANGUAGES.map((folder) => html`<${Texts} key=${folder} url=${url} title=${named("language", folder)}
      members=${members.filter((member) => member.name.startsWith(`${folder}/`))} />`)}
    <${Texts} url=${url} title=${t("task.card")} members=${card} />`;
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
  const [text, setText] = useState(/** @type {string | null} */ (null));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  const read = () => {
    setTrouble(null);
    textOf(url, member).then(setText, setTrouble);
  };
  useEffect(read, [url, member.name]);
  if (trouble) return html`<${Trouble} error=${trouble} retry=${read} />`;
  if (text === null) return html`<${Busy} />`;
  return html`
    <div class="row task-text-name"><code>${member.name}</code> <${CopyButton} text=${text} what=${member.name} /></div>
    <pre tabindex="0" role="region" aria-label=${member.name}><code>${text}</code></pre>`;
}
