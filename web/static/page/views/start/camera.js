// A webcam that fills a class: hold the button, or the space bar on it, and photos are taken until it is let go.
import { snapshot, useWebcam } from "../../parts/webcam.js";
import { html, useEffect, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";

const PICTURE_EVERY_MS = 200;

/** @param {{label: string, onPhoto: (file: File) => void, close: () => void}} props label: of the class */
export function Camera({ label, onPhoto, close }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [isReady, setIsReady] = useState(false);
  const trouble = useWebcam(video);
  return html`
    <div class="class-camera">
      ${trouble ? html`<p class="state trouble" role="alert">${trouble}</p>` : html`
        <video ref=${video} autoplay muted playsinline aria-label=${t("start.camera_picture")}
          onLoadedData=${() => setIsReady(true)}></video>
        <${Shutter} label=${label} video=${video} isReady=${isReady} onPhoto=${onPhoto} />`}
      <button type="button" class="secondary small" onClick=${close}>${t("start.camera_close")}</button>
    </div>`;
}

/**
 * @param {{label: string, video: {current: HTMLVideoElement | null}, isReady: boolean, onPhoto: (file: File) => void}} props
 */
function Shutter({ label, video, isReady, onPhoto }) {
  const [isHeld, setIsHeld] = useState(false);
  const newest = useRef(onPhoto);
  newest.current = onPhoto;
  useEffect(() => {
    if (!isHeld) return undefined;
    let isTaking = false;
    const take = async () => {
      if (isTaking) return;
      isTaking = true;
      const moment = new Date().toISOString().replace(/\D/g, "");
      try {
        if (video.current) newest.current(await snapshot(video.current, `camera-${moment}.jpg`));
      } finally {
        isTaking = false;
      }
    };
    take();
    const timer = setInterval(take, PICTURE_EVERY_MS);
    return () => clearInterval(timer);
  }, [isHeld]);
  /** @param {KeyboardEvent} event */
  const onKeyDown = (event) => {
    if (event.key !== " " && event.key !== "Enter") return;
    event.preventDefault();
    setIsHeld(true);
  };
  const letGo = () => setIsHeld(false);
  return html`
    <button type="button" class="shutter" disabled=${!isReady} aria-pressed=${isHeld} aria-label=${t("start.hold_for", { label })}
      onPointerDown=${() => setIsHeld(true)} onPointerUp=${letGo} onPointerLeave=${letGo} onPointerCancel=${letGo}
      onContextMenu=${(/** @type {Event} */ event) => event.preventDefault()}
      onKeyDown=${onKeyDown} onKeyUp=${letGo} onBlur=${letGo}>${t(isHeld ? "start.taking" : "start.hold")}</button>`;
}
