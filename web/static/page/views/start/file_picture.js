// A photo that is still with the person.
import { html, useEffect, useState } from "../../preact.js";
import { t } from "../../words.js";

/** @param {{file: File}} props */
export function FilePicture({ file }) {
  const [src, setSrc] = useState("");
  const [isUnseen, setIsUnseen] = useState(false);
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setSrc(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  // Browsers show no TIFF, for example, although the server reads it.
  if (isUnseen) return html`<span class="missing" title=${file.name}>${t("start.no_preview", { name: file.name })}</span>`;
  return src ? html`<img src=${src} alt=${file.name} title=${file.name} loading="lazy" decoding="async"
    onError=${() => setIsUnseen(true)} />` : null;
}
