// Calls of the API of this server. Their types come from its OpenAPI document (see tests/javascript).
import { makeStore } from "./store.js";
import { t } from "./words.js";

/** @typedef {import("./api_types").components["schemas"]} Schemas */

/** Where the server is. A proxy may serve it below a path, so it is found from the address of this file. */
export const SERVER = new URL("../../../", import.meta.url);

/** A server closes the connection on a longer one, which looks as if it did not answer. In characters. */
const LONGEST_ADDRESS = 16_000;

/** Whether a call was refused because nobody is signed in. The frame then shows the form to sign in. */
export const signedOut = makeStore(false);

/**
 * A refusal of the server: a sentence for people (message), a stable word (code), and the HTTP status.
 * retryAfterMs: the pause that it asks for before the next try; 0 if it names none.
 */
export class ApiError extends Error {
  /**
   * @param {number} status
   * @param {{error: string, code: string, fields?: Record<string, string>, docs?: string}} problem
   * @param {number} [retryAfterMs]
   */
  constructor(status, problem, retryAfterMs = 0) {
    super(problem.error);
    this.name = "ApiError";
    this.status = status;
    this.code = problem.code;
    this.fields = problem.fields ?? {};
    this.docs = problem.docs ?? "";
    this.retryAfterMs = retryAfterMs;
  }
}

/** The server did not answer at all. */
export class OutOfTouch extends Error {
  constructor() {
    super(t("states.silent"));
    this.name = "OutOfTouch";
  }
}

/** The pause that the server asks for after this error, in milliseconds; 0: none. @param {unknown} error */
export const askedPauseMs = (error) => (error instanceof ApiError ? error.retryAfterMs : 0);

/**
 * The address of a path of the API, such as "v1/tasks". Empty, null and undefined values of the query are left out.
 *
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 */
export function address(path, query = {}) {
  const url = new URL(path, SERVER);
  for (const [name, value] of Object.entries(query)) {
    if (value !== "" && value !== null && value !== undefined) url.searchParams.set(name, String(value));
  }
  return url.href;
}

/** A part of a path, such as the name of a file, which may have slashes: each of its parts is escaped.
 * @param {string} name */
export const escaped = (name) => name.split("/").map(encodeURIComponent).join("/");

/** The path of a task, or of something that it has, such as "log" or "artifacts/metrics.json".
 * @param {string} taskId @param {string} [rest] */
export const taskPath = (taskId, rest = "") => `v1/tasks/${encodeURIComponent(taskId)}${rest && `/${escaped(rest)}`}`;

/**
 * Throws ApiError, OutOfTouch, or the AbortError of `signal`.
 *
 * @param {string} url
 * @param {RequestInit} [options]
 * @returns {Promise<Response>}
 */
export async function request(url, options = {}) {
  if (url.length > LONGEST_ADDRESS) {
    throw new ApiError(414, { error: t("states.long_address", { most: LONGEST_ADDRESS }), code: "long_address" });
  }
  /** @type {Response} */
  let answer;
  try {
    answer = await fetch(url, { credentials: "same-origin", ...options });
  } catch (error) {
    if (options.signal?.aborted) throw error;
    throw new OutOfTouch();
  }
  if (answer.ok) return answer;
  if (answer.status === 401) signedOut.set(true);
  // A date is not read: TFModel sends seconds.
  const retryAfterS = Number(answer.headers.get("Retry-After"));
  throw new ApiError(answer.status, await problemOf(answer), retryAfterS > 0 ? retryAfterS * 1000 : 0);
}

/** @param {Response} answer */
async function problemOf(answer) {
  try {
    return await answer.json();
  } catch {
    // A proxy in front of the server answers with pages of its own.
    return { error: `${answer.status} ${answer.statusText}`.trim(), code: "no_json" };
  }
}

/**
 * @template T
 * @param {string} path
 * @param {Record<string, string | number | boolean | null | undefined>} [query]
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function get(path, query, signal) {
  return (await request(address(path, query), { signal })).json();
}

/**
 * @template T
 * @param {string} path
 * @param {object | FormData | null} [body] an object is sent as JSON
 * @param {AbortSignal} [signal]
 * @returns {Promise<T>}
 */
export async function post(path, body = null, signal) {
  /** @type {RequestInit} */
  const options = { method: "POST", signal };
  if (body instanceof FormData) {
    options.body = body;
  } else if (body !== null) {
    options.body = JSON.stringify(body);
    options.headers = { "Content-Type": "application/json" };
  }
  const answer = await request(address(path), options);
  return answer.status === 204 ? /** @type {T} */ (null) : answer.json();
}

/**
 * @template T
 * @param {string} path
 * @returns {Promise<T>}
 */
export async function remove(path) {
  const answer = await request(address(path), { method: "DELETE" });
  return answer.status === 204 ? /** @type {T} */ (null) : answer.json();
}
