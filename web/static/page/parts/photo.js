// A photo as a small picture, which the server makes.
import { address, taskPath } from "../api.js";
import { html, useState } from "../preact.js";
import { t } from "../words.js";

/** The address of a small copy of a picture in the project folder of a task.
 * @param {string} taskId @param {string} name as in metrics.json @param {number} [size] of the longest side in pixels */
export const taskPhoto = (taskId, name, size = 320) =>
  address(taskPath(taskId, `pictures/${name}`), { size });

/** The address of a small copy of a picture in a data root. @param {string} path @param {number} [size] */
export const folderPhoto = (path, size = 160) => address("v1/thumbnails", { path, size });

/**
 * A photo with a caption. Where the photo is gone or unreadable, its name stands in its place.
 *
 * @param {{src: string, name: string, children?: unknown, href?: string, open?: () => void, isNamed?: boolean}} props
 *   children: the caption. open: shows it large. isNamed: the caption has the name, so a screen reader need not say it twice
 */
export function Photo({ src, name, children, href, open, isNamed = false }) {
  const [isMissing, setIsMissing] = useState(false);
  const picture = isMissing
    ? html`<span class="missing">${t("parts.no_photo", { name })}</span>`
    : html`<img src=${src} alt=${isNamed ? "" : name} loading="lazy" decoding="async" onError=${() => setIsMissing(true)} />`;
  return html`
    <figure class="photo">
      ${href ? html`<a href=${href}>${picture}</a>`
        : open ? html`<button type="button" class="bare" title=${t("parts.show_large")} onClick=${open}>${picture}</button>`
        : picture}
      ${children && html`<figcaption>${children}</figcaption>`}
    </figure>`;
}
