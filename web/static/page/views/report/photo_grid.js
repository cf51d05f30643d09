// Photos of the task's folder with what is said of them. Each opens large.
import { LargePhoto } from "../../parts/large_photo.js";
import { Photo, taskPhoto } from "../../parts/photo.js";
import { html, useState } from "../../preact.js";
import { useMore } from "./more.js";

/**
 * file: as in metrics.json. said: pairs of a name and a value that stand below the photo.
 *
 * @typedef {{file: string, said?: [string, string][]}} ShownPhoto
 */

/** @param {{taskId: string, photos: ShownPhoto[], most?: number}} props */
export function PhotoGrid({ taskId, photos, most = 12 }) {
  const { shown, button } = useMore(photos, most);
  const [opened, setOpened] = useState(-1);
  const large = photos[opened];
  return html`
    <ul class="photos">${shown.map((photo, place) => html`
      <li key=${photo.file + place}>
        <${Photo} src=${taskPhoto(taskId, photo.file)} name=${photo.file} open=${() => setOpened(place)}><${Said} ...${photo} /><//>
      </li>`)}</ul>
    ${button}
    ${large && html`<${LargePhoto} src=${taskPhoto(taskId, large.file, 1024)} name=${large.file} close=${() => setOpened(-1)}
      previous=${opened > 0 ? () => setOpened(opened - 1) : null}
      next=${opened < shown.length - 1 ? () => setOpened(opened + 1) : null}><${Said} ...${large} /><//>`}`;
}

/** @param {ShownPhoto} photo */
const Said = ({ file, said = [] }) => html`
  <span class="file" title=${file}>${file}</span>
  ${said.map(([name, value]) => html`<span class="fact"><span class="muted">${name}</span> <bdi>${value}</bdi></span>`)}`;
