// The form that exchanges a token for a cookie.
import { html, useState } from "../preact.js";
import { hasLostSession, signIn } from "../session.js";
import { useStore } from "../store.js";
import { t } from "../words.js";

export function SignIn() {
  const [token, setToken] = useState("");
  const [trouble, setTrouble] = useState("");
  const [isBusy, setIsBusy] = useState(false);
  const hasLost = useStore(hasLostSession);
  /** @param {Event} event */
  async function submit(event) {
    event.preventDefault();
    setIsBusy(true);
    try {
      await signIn(token.trim());
    } catch (error) {
      setTrouble(error instanceof Error ? error.message : String(error));
    } finally {
      setIsBusy(false);
    }
  }
  // Browsers that keep passwords want a name to keep this one under.
  return html`
    <form class="sign-in" onSubmit=${submit}>
      <h1>${t("sign_in.title")}</h1>
      <p role=${hasLost ? "status" : null}>${t(hasLost ? "sign_in.ended" : "sign_in.why")}</p>
      <input type="text" autocomplete="username" value="TFModel" hidden readonly />
      <label>${t("sign_in.token")}
        <input type="password" name="token" autocomplete="current-password" required value=${token}
          aria-invalid=${trouble ? "true" : null} aria-describedby="sign-in-help"
          onInput=${(/** @type {any} */ event) => setToken(event.target.value)} /></label>
      <p id="sign-in-help" role=${trouble ? "alert" : null}>${trouble || t("sign_in.where")}</p>
      <button type="submit" aria-busy=${isBusy}>${t("sign_in.do")}</button>
    </form>`;
}
