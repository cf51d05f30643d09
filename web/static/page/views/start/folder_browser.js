// The folders of the server, as a person walks through them to the one with the photos.
import { useLoaded } from "../../loading.js";
import { Photo, folderPhoto } from "../../parts/photo.js";
import { Empty, Shown } from "../../parts/states.js";
import { html, useEffect, useRef, useState } from "../../preact.js";
import { link } from "../../router.js";
import { useOnlyUser } from "../../session.js";
import { bytes, t } from "../../words.js";
import { FolderRow } from "./folder_row.js";
import { crumbsOf } from "./crumbs.js";

/** @typedef {import("../../api.js").Schemas["FolderListing"]} FolderListing */

/** Pictures that are shown at first. */
const FIRST_PICTURES = 12;

/** @param {{at: string}} props at: the path of the folder that is open; "" is the top */
export function FolderBrowser({ at }) {
  const top = useLoaded("v1/folders");
  return html`<${Shown} of=${top}>${(/** @type {FolderListing} */ listing) => html`<${Inside} top=${listing} at=${at} />`}<//>`;
}

/** @param {{top: FolderListing, at: string}} props */
function Inside({ top, at }) {
  // The server lists its only folder of photos by itself for a user who has one; a list of one says nothing.
  const only = top.path || (top.folders.length === 1 ? top.folders[0].path : "");
  const path = at || only;
  const { crumbs, isBelow } = crumbsOf(top, path);
  const current = crumbs[crumbs.length - 1];
  const user = useOnlyUser();
  const heading = useRef(/** @type {HTMLElement | null} */ (null));
  const shown = useRef(path);
  useEffect(() => {
    // The link that was followed is gone, so the focus would be lost.
    if (shown.current !== path) heading.current?.focus();
    shown.current = path;
  }, [path]);
  if (!path && top.folders.length === 0) {
    return html`<${Empty}><p>${user ? t("start.no_folder_of_user", { user }) : t("start.no_roots")}</p><//>`;
  }
  return html`
    <nav class="crumbs" aria-label=${t("start.crumbs")}><ol>${crumbs.map(({ name, path: its }) => html`
      <li key=${its}>${its === path ? html`<strong ref=${heading} tabindex="-1" aria-current="page">${name}</strong>`
        : html`<a href=${link(["start"], { at: its })}>${name}</a>`}</li>`)}</ol></nav>
    ${isBelow ? html`<p class="use"><a role="button" href=${link(["start"], { folder: path })}>
        ${t("start.use_folder", { name: current.name })}</a></p>`
      : html`<p class="muted small">${t("start.open_folder")}</p>`}
    <div class="browser" onKeyDown=${(/** @type {KeyboardEvent} */ event) => walk(event, crumbs)}>
      <${FolderPage} key=${path} path=${path} isTop=${!isBelow} />
    </div>`;
}

/**
 * The arrow keys go through the list; left and Backspace lead to the folder above.
 *
 * @param {KeyboardEvent} event @param {import("./crumbs.js").Crumb[]} crumbs
 */
function walk(event, crumbs) {
  const list = /** @type {HTMLElement} */ (event.currentTarget);
  const links = /** @type {HTMLElement[]} */ ([...list.querySelectorAll("a.folder")]);
  const place = links.indexOf(/** @type {HTMLElement} */ (document.activeElement));
  const above = crumbs[crumbs.length - 2];
  if (event.key === "ArrowDown") links[Math.min(place + 1, links.length - 1)]?.focus();
  else if (event.key === "ArrowUp") links[Math.max(place - 1, 0)]?.focus();
  else if (event.key === "Home") links[0]?.focus();
  else if (event.key === "End") links[links.length - 1]?.focus();
  else if (event.key === "ArrowRight" && place >= 0) links[place].click();
  else if ((event.key === "ArrowLeft" || event.key === "Backspace") && above) location.hash = link(["start"], { at: above.path });
  else return;
  event.preventDefault();
}

/** A page of a folder, and the pages after it that a person has asked for.
 * @param {{path: string, cursor?: string, isTop: boolean}} props */
function FolderPage({ path, cursor = "", isTop }) {
  const page = useLoaded("v1/folders", { path, cursor });
  const [wantsMore, setWantsMore] = useState(false);
  return html`<${Shown} of=${page}>${(/** @type {FolderListing} */ listing) => html`
    ${listing.folders.length > 0 && html`<ul class="folders">${listing.folders.map((folder, row) => html`
      <${FolderRow} key=${folder.path} folder=${folder} row=${row} />`)}</ul>`}
    <${Pictures} listing=${listing} />
    ${!cursor && listing.folders.length + listing.pictures.length === 0 && html`<${Empty}>
      <p>${isTop ? t("start.empty_root", { path: path }) : t("start.empty_folder")}</p><//>`}
    ${listing.next && (wantsMore ? html`<${FolderPage} path=${path} cursor=${listing.next} isTop=${isTop} />`
      : html`<p><button type="button" class="secondary small" onClick=${() => setWantsMore(true)}>${t("start.more_entries")}</button></p>`)}
    ${listing.cutOff && !listing.next && html`<p class="muted small">${t("start.cut_off")}</p>`}`}<//>`;
}

/** @param {{listing: FolderListing}} props */
function Pictures({ listing: { pictures, otherFiles } }) {
  const [isAll, setIsAll] = useState(false);
  const shown = isAll ? pictures : pictures.slice(0, FIRST_PICTURES);
  return html`
    ${shown.length > 0 && html`<ul class="photos small-photos">${shown.map(({ name, path, sizeBytes }) => html`
      <li key=${path}><${Photo} src=${folderPhoto(path)} name=${name}><span title=${name}>${bytes(sizeBytes)}</span><//></li>`)}</ul>`}
    ${shown.length < pictures.length && html`<p><button type="button" class="secondary small" onClick=${() => setIsAll(true)}>
      ${t("start.all_pictures", { count: pictures.length })}</button></p>`}
    ${otherFiles > 0 && html`<p class="muted small">${t("start.other_files", { count: otherFiles })}</p>`}`;
}
