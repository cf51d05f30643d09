// Says at the top of every view that the server does not answer, and since when. It goes away by itself.
import { touch } from "../events.js";
import { html, useEffect, useState } from "../preact.js";
import { useStore } from "../store.js";
import { t, time } from "../words.js";

/** A stream that is cut and back within this time is nothing to tell. */
const PATIENCE_MS = 1500;

export function OutOfTouchBar() {
  const { state, since } = useStore(touch);
  const [isTold, setIsTold] = useState(false);
  useEffect(() => {
    setIsTold(false);
    if (state !== "away") return undefined;
    const timer = setTimeout(() => setIsTold(true), PATIENCE_MS);
    return () => clearTimeout(timer);
  }, [state]);
  return html`<div class="touch" role="status">${isTold && state === "away"
    ? html`<p>${t("states.away_since", { time: time(new Date(since).toISOString()) })}</p>` : null}</div>`;
}
