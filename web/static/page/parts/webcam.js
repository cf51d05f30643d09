// A camera in a video, and single pictures of it.
import { useEffect, useState } from "../preact.js";
import { t } from "../words.js";

const WIDTH_PX = 640;
const JPEG_QUALITY = 0.9;

/** Why there is no camera, by the name of the browser's error. @type {Record<string, import("../words.js").Message>} */
const TROUBLES = {
  NotAllowedError: "parts.camera_forbidden",
  NotReadableError: "parts.camera_in_use",
  // Browsers hide the camera from pages of other machines that came without encryption.
  TypeError: "parts.camera_insecure",
};

/** Show the camera in a video for as long as the component is shown. Returns why that is not possible, or "".
 * @param {{current: HTMLVideoElement | null}} video */
export function useWebcam(video) {
  const [trouble, setTrouble] = useState("");
  useEffect(() => {
    /** @type {MediaStream | null} */
    let stream = null;
    let isWanted = true;
    const stop = () => stream?.getTracks().forEach((track) => track.stop());
    (async () => navigator.mediaDevices.getUserMedia({ video: { width: { ideal: WIDTH_PX } } }))().then(
      (found) => {
        stream = found;
        if (isWanted && video.current) video.current.srcObject = found;
        else stop();
      },
      (error) => isWanted && setTrouble(t(TROUBLES[error.name] ?? "parts.camera_missing")),
    );
    return () => {
      isWanted = false;
      stop();
    };
  }, []);
  return trouble;
}

/**
 * What the video shows now, as a JPEG.
 *
 * @param {HTMLVideoElement} video
 * @param {string} name of the file
 * @param {number} [side_px] of the longest side; never enlarged
 * @returns {Promise<File>}
 */
export async function snapshot(video, name, side_px = WIDTH_PX) {
  const scale = Math.min(1, side_px / Math.max(video.videoWidth, video.videoHeight));
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(video.videoWidth * scale);
  canvas.height = Math.round(video.videoHeight * scale);
  canvas.getContext("2d")?.drawImage(video, 0, 0, canvas.width, canvas.height);
  const blob = /** @type {Blob} */ (await new Promise((resolve, reject) => canvas.toBlob(
    (made) => (made ? resolve(made) : reject(new Error("the browser cannot write a JPEG"))), "image/jpeg", JPEG_QUALITY)));
  return new File([blob], name, { type: "image/jpeg" });
}
