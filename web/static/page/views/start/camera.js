// A webcam that fills a class: hold the button, or the space bar on it, and photos are taken until it is let go.
import { html, useEffect, useRef, useState } from "../../preact.js";
import { t } from "../../words.js";

const PICTURE_EVERY_MS = 200;
const WIDTH_PX = 640;
const JPEG_QUALITY = 0.9;

/** Why there is no camera, by the name of the browser's error. @type {Record<string, import("../../words.js").Message>} */
const TROUBLES = {
  NotAllowedError: "start.camera_forbidden",
  NotFoundError: "start.camera_missing",
  OverconstrainedError: "start.camera_missing",
  NotReadableError: "start.camera_in_use",
  insecure: "start.camera_insecure",
};

/** @returns {Promise<MediaStream>} */
async function openCamera() {
  // Browsers hide the camera from pages of other machines that came without encryption.
  if (!navigator.mediaDevices) throw Object.assign(new Error(), { name: "insecure" });
  return navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH_PX } }, audio: false });
}

/** @param {HTMLVideoElement} video @returns {Promise<File | null>} */
async function photoOf(video) {
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d")?.drawImage(video, 0, 0);
  /** @type {Blob | null} */
  const jpeg = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", JPEG_QUALITY));
  const moment = new Date().toISOString().replace(/\D/g, "");
  return jpeg && new File([jpeg], `camera-${moment}.jpg`, { type: "image/jpeg" });
}

/** @param {{label: string, onPhoto: (file: File) => void, close: () => void}} props label: of the class */
export function Camera({ label, onPhoto, close }) {
  const video = useRef(/** @type {HTMLVideoElement | null} */ (null));
  const [trouble, setTrouble] = useState(/** @type {import("../../words.js").Message | ""} */ (""));
  const [isReady, setIsReady] = useState(false);
  useEffect(() => {
    let isWanted = true;
    /** @type {MediaStream | null} */
    let stream = null;
    const end = () => stream?.getTracks().forEach((track) => track.stop());
    openCamera().then(
      (opened) => {
        stream = opened;
        if (!isWanted || !video.current) return end();
        video.current.srcObject = opened;
        return undefined;
      },
      (error) => isWanted && setTrouble(TROUBLES[error.name] ?? "start.camera_missing"),
    );
    return () => {
      isWanted = false;
      end();
    };
  }, []);
  return html`
    <div class="camera">
      ${trouble ? html`<p class="state trouble" role="alert">${t(trouble)}</p>` : html`
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
    const take = async () => {
      const photo = video.current && (await photoOf(video.current));
      if (photo) newest.current(photo);
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
