// Who looks at the page: whether this server needs a token, and what the token allows.
import { get, post, remove, signedOut } from "./api.js";
import { makeStore } from "./store.js";

/** @typedef {import("./api.js").Schemas["SessionView"]} Session */

/** Null until it is known. */
export const session = makeStore(/** @type {Session | null} */ (null));

/** The other tabs have the same cookie, so they are told when somebody signs in or out. */
const tabs = new BroadcastChannel("session");
tabs.onmessage = () => void readSession().catch(() => {}); // A tab that cannot ask now asks when the server is back.

export async function readSession() {
  const found = /** @type {Session} */ (await get("v1/session"));
  signedOut.set(found.needed && !found.signedIn);
  session.set(found);
}

/** Exchange a token for a cookie that scripts cannot read. Throws ApiError. @param {string} token */
export async function signIn(token) {
  session.set(await post("v1/session", { token }));
  signedOut.set(false);
  tabs.postMessage("signed in");
}

export async function signOut() {
  await remove("v1/session");
  await readSession();
  tabs.postMessage("signed out");
}
