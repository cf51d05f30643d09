// The way from the top to a folder of the server.

/** @typedef {{name: string, path: string}} Crumb */

/** @param {string} path */
export const lastPart = (path) => path.slice(path.lastIndexOf("/") + 1);

/**
 * The folders from the data root to this one; without a path, or for one that lies nowhere below, just the place itself.
 *
 * @param {{path: string, folders: readonly {name: string, path: string}[]}} top the list of the data roots
 * @param {string} path
 * @returns {Crumb[]}
 */
export function crumbsOf(top, path) {
  const roots = top.path ? [{ name: lastPart(top.path), path: top.path }] : top.folders;
  if (!path) return [];
  const root = roots.find((each) => path === each.path || path.startsWith(`${each.path}/`));
  const first = root ?? { name: path, path };
  const crumbs = [{ name: first.name, path: first.path }];
  for (const part of path.slice(first.path.length).split("/").filter(Boolean)) {
    crumbs.push({ name: part, path: `${crumbs[crumbs.length - 1].path}/${part}` });
  }
  return top.path || roots.length === 1 ? crumbs : [{ name: "/", path: "" }, ...crumbs];
}
