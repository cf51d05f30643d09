// The way from the top to a folder of the server.

/** @typedef {{name: string, path: string}} Crumb */

/** @param {string} path */
export const lastPart = (path) => path.slice(path.lastIndexOf("/") + 1);

/**
 * The places from the top to this folder. isBelow: whether it lies below a data root, so that it can be a project.
 *
 * @param {{path: string, folders: readonly {name: string, path: string}[]}} top the list of the data roots
 * @param {string} path
 * @returns {{crumbs: Crumb[], isBelow: boolean}}
 */
export function crumbsOf(top, path) {
  const roots = top.path ? [{ name: lastPart(top.path), path: top.path }] : top.folders;
  if (!path) return { crumbs: [], isBelow: false };
  const root = roots.find((each) => path === each.path || path.startsWith(`${each.path}/`));
  const above = top.path || roots.length === 1 ? [] : [{ name: "/", path: "" }];
  if (!root) return { crumbs: [above[0] ?? roots[0], { name: path, path }], isBelow: false };
  const crumbs = [{ name: root.name, path: root.path }];
  for (const part of path.slice(root.path.length).split("/").filter(Boolean)) {
    crumbs.push({ name: part, path: `${crumbs[crumbs.length - 1].path}/${part}` });
  }
  return { crumbs: [...above, ...crumbs], isBelow: crumbs.length > 1 };
}
