// A folder in the list of the browser: its first photos, its name, and how much is in it.
import { useLoaded } from "../../loading.js";
import { folderPhoto } from "../../parts/photo.js";
import { html } from "../../preact.js";
import { link } from "../../router.js";
import { t } from "../../words.js";

const PREVIEWS = 3;
/** So many folders at the top of the list show photos: each one takes a call. */
const ROWS_WITH_PREVIEW = 24;

/** @param {{folder: import("../../api.js").Schemas["ListedFolder"], row: number}} props */
export function FolderRow({ folder: { name, path, pictures, folders, more }, row }) {
  const counts = [
    folders ? t("start.count_folders", { count: folders }) : "",
    pictures ? t("start.count_pictures", { count: pictures }) : "",
    more ? t("start.count_more") : "",
  ].filter(Boolean).join(", ");
  return html`
    <li><a class="folder" href=${link(["start"], { at: path })}>
      ${pictures > 0 && row < ROWS_WITH_PREVIEW ? html`<${Preview} path=${path} />`
        : html`<span class="previews" aria-hidden="true"><span class="folder-mark"></span></span>`}
      <span class="name">${name}</span>
      <span class="counts">${counts || t("start.count_nothing")}</span></a></li>`;
}

/** The first photos. They only decorate the name. @param {{path: string}} props */
function Preview({ path }) {
  const { data } = useLoaded("v1/folders", { path, limit: 8 });
  const pictures = /** @type {import("../../api.js").Schemas["FolderListing"] | null} */ (data)?.pictures ?? [];
  return html`<span class="previews" aria-hidden="true">${pictures.slice(0, PREVIEWS).map((picture) => html`
    <img key=${picture.path} src=${folderPhoto(picture.path)} alt="" loading="lazy" decoding="async" />`)}</span>`;
}
