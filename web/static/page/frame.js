// The frame around every view: menu, whether the server is in touch, and the view itself.
import { askedPauseMs, signedOut } from "./api.js";
import { epoch, listen, touch } from "./events.js";
import { useScript } from "./loading.js";
import { OutOfTouchBar } from "./parts/out_of_touch_bar.js";
import { Busy, Trouble } from "./parts/states.js";
import { pauseAfterMs } from "./pauses.js";
import { html, useEffect, useErrorBoundary } from "./preact.js";
import { link, useRoute } from "./router.js";
import { readSession, session, signOut } from "./session.js";
import { useStore } from "./store.js";
import { SignIn } from "./views/sign_in.js";
import { FIRST_VIEW, VIEWS } from "./views/views.js";
import { t } from "./words.js";

export function Frame() {
  const route = useRoute();
  const isSignedOut = useStore(signedOut);
  const isKnown = useStore(session) !== null;
  const name = route.path[0] ?? FIRST_VIEW;
  const view = Object.hasOwn(VIEWS, name) ? VIEWS[name] : undefined;
  useEffect(() => {
    if (isKnown) listen(!isSignedOut);
  }, [isKnown, isSignedOut]);
  useSessionChecks();
  useEffect(() => {
    document.title = `${view ? t(view.title) : t("frame.nothing_here")} · TFModel`;
  }, [view]);
  return html`
    <a class="skip" href="#main" onClick=${skipToMain}>${t("frame.skip")}</a>
    <header><${Menu} current=${name} /></header>
    <${OutOfTouchBar} />
    <main id="main" tabindex="-1">
      ${isSignedOut ? html`<${SignIn} />` : !isKnown ? html`<${Busy} />`
        : view ? html`<div class=${`${name}-view`}><${LoadedView} key=${name} view=${view} route=${route} /></div>`
        : html`<${NothingHere} />`}
    </main>`;
}

const NothingHere = () => html`
  <h1>${t("frame.nothing_here")}</h1><p><a href=${link([FIRST_VIEW])}>${t("frame.to_start")}</a></p>`;

/** The fragment of the address belongs to the router, so the link cannot just name the place. @param {Event} event */
function skipToMain(event) {
  event.preventDefault();
  document.getElementById("main")?.focus();
}

/** Ask who looks at the page, at first, whenever events begin anew, and when they end: the token may have been revoked. */
function useSessionChecks() {
  const current = useStore(epoch);
  const { state } = useStore(touch);
  useEffect(() => {
    let isWanted = true;
    /** @type {ReturnType<typeof setTimeout>} */
    let timer;
    let failures = 0;
    const ask = () => readSession().catch((error) => {
      if (!isWanted) return;
      if (session.get() === null) touch.set({ state: "away", since: Date.now() });
      failures += 1;
      timer = setTimeout(ask, pauseAfterMs(failures, askedPauseMs(error)));
    });
    ask();
    return () => {
      isWanted = false;
      clearTimeout(timer);
    };
  }, [current, state === "away"]);
}

/** @param {{current: string}} props */
function Menu({ current }) {
  const who = useStore(session);
  const isSignedOut = useStore(signedOut);
  return html`
    <nav aria-label=${t("frame.menu")}>
      <a class="brand" href=${link([FIRST_VIEW])}>TFModel</a>
      <ul>${Object.entries(VIEWS).filter(([, view]) => view.inMenu).map(([name, view]) => html`
        <li><a href=${link([name])} aria-current=${name === current ? "page" : null}>${t(view.title)}</a></li>`)}
      </ul>
      ${who?.signedIn && !isSignedOut && html`<span class="who">${t("frame.signed_in", { name: who.tokenName })}
        <button type="button" class="plain" onClick=${signOut}>${t("frame.sign_out")}</button></span>`}
    </nav>`;
}

/** @param {{view: import("./views/views.js").View, route: import("./router.js").Route}} props */
function LoadedView({ view, route }) {
  const { script: component, trouble } = useScript(view.load);
  const [error, forget] = useErrorBoundary((found) => console.error(found));
  // What failed at one address may well work at the next one.
  useEffect(() => error && forget(), [route]);
  if (error) return html`<h1>${t(view.title)}</h1><${Trouble} error=${error} retry=${forget} />`;
  if (trouble) return html`<${Trouble} error=${trouble} retry=${() => location.reload()} />`;
  return component ? html`<${component} route=${route} />` : html`<h1>${t(view.title)}</h1><${Busy} />`;
}
