// The state of a task in one word.
import { html } from "../preact.js";
import { named } from "../words.js";

/** @param {{state: string}} props */
export const StateTag = ({ state }) => html`<span class=${`tag ${state}`}>${named("state", state)}</span>`;
