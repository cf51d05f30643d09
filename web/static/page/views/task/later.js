// A part of the view whose script is loaded when it is first shown.
import { useScript } from "../../loading.js";
import { Busy, Trouble } from "../../parts/states.js";
import { html } from "../../preact.js";

/**
 * @param {{load: () => Promise<Function>, task: import("./use_task.js").TaskView}} props
 */
export function Later({ load, task }) {
  const { script: component, trouble } = useScript(load);
  if (trouble) return html`<${Trouble} error=${trouble} retry=${() => location.reload()} />`;
  return component ? html`<${component} task=${task} />` : html`<${Busy} />`;
}
