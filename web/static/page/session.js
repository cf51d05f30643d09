// Who looks at the page: whether this server needs a token, and what the token allows.
import { ApiError, OutOfTouch, get, post, remove, signedOut } from "./api.js";
import { makeStore, useStore } from "./store.js";

/** @typedef {import("./api.js").Schemas["SessionView"]} Session */

/** Null until it is known. */
export const session = makeStore(/** @type {Session | null} */ (null));

/** Whether a session of this page has ended without the person's doing, as when its token is revoked. */
export const hasLostSession = makeStore(false);
signedOut.subscribe((isSignedOut) => hasLostSession.set(isSignedOut && Boolean(session.get()?.signedIn)));

/** The only user whose tasks the person may see; "" for those of all users. */
export const useOnlyUser = () => useStore(session)?.userId ?? "";

/** Whether the person may start, stop and change things. It counts as yes until the server has said otherwise. */
export const useMayWrite = () => useStore(session)?.mayWrite ?? true;

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

/** Ends the session. Where the server does not answer, the page says so at its top, and the person stays signed in. */
export async function signOut() {
  try {
    await remove("v1/session");
    await readSession();
    hasLostSession.set(false);
    tabs.postMessage("signed out");
  } catch (error) {
    if (!(error instanceof ApiError || error instanceof OutOfTouch)) throw error;
  }
}
