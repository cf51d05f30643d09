// A section of the report, which links can lead to.
import { html } from "../../preact.js";
import { link } from "../../router.js";

/** @typedef {import("../../router.js").Route} Route */

/** @param {string} name */
const titleId = (name) => `report-${name}`;

/** @param {{name: string, title: string, children: unknown}} props */
export const Section = ({ name, title, children }) => html`
  <section class="report-part" aria-labelledby=${titleId(name)}>
    <h2 id=${titleId(name)} tabindex="-1">${title}</h2>
    ${children}
  </section>`;

/** Scroll to a section and give its title the focus. @param {string} name */
export function showSection(name) {
  const title = document.getElementById(titleId(name));
  title?.scrollIntoView();
  title?.focus({ preventScroll: true });
}

/** A link to a section. The address keeps it. @param {{route: Route, name: string, children: unknown}} props */
export const ToSection = ({ route, name, children }) => html`
  <a href=${link(route.path, { ...route.query, section: name })} onClick=${() => showSection(name)}>${children}</a>`;
