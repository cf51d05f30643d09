// A part of the view whose script is loaded when it is first shown.
import { Busy, Trouble } from "../../parts/states.js";
import { html, useEffect, useState } from "../../preact.js";

/**
 * @param {{load: () => Promise<Function>, task: import("./use_task.js").TaskView}} props
 */
export function Later({ load, task }) {
  const [component, setComponent] = useState(/** @type {Function | null} */ (null));
  const [trouble, setTrouble] = useState(/** @type {Error | null} */ (null));
  useEffect(() => {
    let isWanted = true;
    load().then(
      (found) => isWanted && setComponent(() => found),
      (error) => isWanted && setTrouble(error),
    );
    return () => void (isWanted = false);
  }, [load]);
  if (trouble) return html`<${Trouble} error=${trouble} retry=${() => location.reload()} />`;
  return component ? html`<${component} task=${task} />` : html`<${Busy} />`;
}
