// Looks up names that come from data or from the address. Every object also has "constructor" and the like.

/**
 * The value of that name; undefined if the object itself has none.
 *
 * @template T
 * @param {Record<string, T> | undefined} object
 * @param {string} name
 * @returns {T | undefined}
 */
export const own = (object, name) => (object && Object.hasOwn(object, name) ? object[name] : undefined);
