// The address of the page: what stands after "#", as a path and a query. Reload, back and links keep all of it.
import { makeStore, useStore } from "./store.js";

/**
 * path: the parts of the path. query: what follows "?". Both are decoded.
 *
 * @typedef {{path: string[], query: Record<string, string>}} Route
 */

/** @returns {Route} */
function read() {
  const [, path, query = ""] = /** @type {string[]} */ (/^#?\/?([^?]*)\??(.*)$/s.exec(location.hash));
  return { path: path.split("/").map(decoded).filter(isPart), query: Object.fromEntries(new URLSearchParams(query)) };
}

/** In an address of the API, "." and ".." would lead to another call. @param {string} part */
export const isPart = (part) => part !== "" && part !== "." && part !== "..";

/** @param {string} part */
function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part; // A person has typed a lone "%".
  }
}

const route = makeStore(read());
addEventListener("hashchange", () => route.set(read()));

export const useRoute = () => useStore(route);

/**
 * The address of a view, for the href of a link. Empty values of the query are left out.
 *
 * @param {string[]} path
 * @param {Record<string, string>} [query]
 */
export function link(path, query = {}) {
  const kept = Object.entries(query).filter(([, value]) => value !== "");
  const search = kept.length ? `?${new URLSearchParams(kept)}` : "";
  return `#/${path.map(encodeURIComponent).join("/")}${search}`;
}

/**
 * Show another view.
 *
 * @param {string[]} path
 * @param {Record<string, string>} [query]
 * @param {{replace?: boolean}} [options] replace: the address before is not kept, as while a person types a filter
 */
export function go(path, query = {}, { replace = false } = {}) {
  const href = link(path, query);
  if (!replace) {
    location.hash = href;
    return;
  }
  history.replaceState(null, "", href);
  route.set(read());
}
