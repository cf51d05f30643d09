// The sections of a view, each with an address of its own.
import { html } from "../preact.js";
import { link } from "../router.js";

/**
 * @param {{label: string, current: string, items: {name: string, title: string, path: string[]}[]}} props
 */
export const Tabs = ({ label, current, items }) => html`
  <nav class="tabs" aria-label=${label}><ul>${items.map(({ name, title, path }) => html`
    <li><a href=${link(path)} aria-current=${name === current ? "page" : null}>${title}</a></li>`)}</ul></nav>`;
