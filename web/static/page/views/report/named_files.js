// The files that a finding names: photos as photos, other files by their names.
import { html, useState } from "../../preact.js";
import { number, t } from "../../words.js";
import { PhotoGrid } from "./photo_grid.js";

const PHOTO = /\.(jpe?g|png|webp|avif|gif|bmp|tiff?)$/i;

/** @param {{taskId: string, finding: import("./record.js").Finding}} props */
export function NamedFiles({ taskId, finding }) {
  const [isOpen, setIsOpen] = useState(false);
  const files = finding.files ?? [];
  if (files.length === 0) return null;
  const count = finding.count ?? files.length;
  const title = count > files.length
    ? t("report.some_files", { shown: files.length, all: number(count) }) : t("report.files", { count: files.length });
  const others = files.filter((file) => !PHOTO.test(file));
  return html`
    <details onToggle=${(/** @type {any} */ event) => setIsOpen(event.target.open)}>
      <summary>${title}</summary>
      ${isOpen && html`
        <${PhotoGrid} taskId=${taskId} photos=${files.filter((file) => PHOTO.test(file)).map((file) => ({ file }))} />
        ${others.length > 0 && html`<ul>${others.map((file) => html`<li class="file">${file}</li>`)}</ul>`}`}
    </details>`;
}
