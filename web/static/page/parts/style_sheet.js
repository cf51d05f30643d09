// Style sheets that only some views need. A view loads its own before it is first shown.

/** @type {Map<string, Promise<void>>} */
const loaded = new Map();

/**
 * Load look/<name>.css once. The promise ends when the style sheet is in force. A style sheet of another folder is named
 * by its path from look/.
 *
 * @param {string} name
 * @returns {Promise<void>}
 */
export function styleSheet(name) {
  const known = loaded.get(name);
  if (known) return known;
  /** @type {Promise<void>} */
  const loading = new Promise((resolve, reject) => {
    const link = document.createElement("link");
    link.rel = "stylesheet";
    link.href = new URL(`../look/${name}.css`, import.meta.url).href;
    link.onload = () => resolve();
    link.onerror = () => reject(new Error(`look/${name}.css cannot be loaded`));
    document.head.append(link);
  });
  loaded.set(name, loading);
  return loading;
}
