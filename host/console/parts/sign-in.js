// Signing in: with an API token, kept for this tab, or at the host's OpenID provider. Afterwards the page that was wanted is shown.
import { html, useEffect, useRef, useState } from "../preact.js";
import { signIn } from "../api.js";
import { t } from "../i18n.js";
import { place } from "../router.js";
import { useSession } from "../session.js";
import { Button, LinkButton } from "./button.js";
import { Input } from "./field.js";
import { Preferences } from "./frame.js";
import { Problem } from "./problem.js";
import { Toasts } from "./toast.js";

/** Longest way back that the host remembers over a login. */
const MOST_PATH = 1024;

export function SignIn() {
  const { login, problem: ended } = useSession();
  const [text, setText] = useState("");
  const [wrong, setWrong] = useState(null);
  const form = useRef(null);
  useEffect(() => {
    document.title = `${t("common.sign-in")} · Sangam`;
  }, []);
  const submit = async (event) => {
    event?.preventDefault();
    const token = text.trim();
    if (!token) {
      setWrong(t("common.token-missing"));
      form.current?.querySelector("input")?.focus();
      return;
    }
    setWrong(null);
    try {
      await signIn(token);
    } catch (problem) {
      setWrong(problem.message);
      form.current?.querySelector("input")?.focus();
    }
  };
  const back = location.pathname + location.search;
  const loginAt = login && `${login}?return=${encodeURIComponent(back.length > MOST_PATH ? place.value.path.slice(0, MOST_PATH) : back)}`;
  return html`<div class="sign-in-frame">
    <header class="bar"><span class="brand"><img src="/console/icon.svg" alt="" width="22" height="22" /><span>Sangam</span></span>
      <div class="bar-end"><${Preferences} /></div></header>
    <main class="sign-in card">
      <h1>${t("common.sign-in")}</h1>
      ${ended && html`<${Problem} problem=${ended} title=${t("common.session-over")} />`}
      ${loginAt && html`<p><${LinkButton} kind="primary" href=${loginAt}>${t("common.log-in")}<//></p><p class="or"><span>${t("common.or")}</span></p>`}
      <form onSubmit=${submit} ref=${form} novalidate>
        <${Input} label=${t("common.api-token")} type="password" name="token" autocomplete="off" value=${text} onInput=${setText} error=${wrong} required
          hint=${t("common.api-token-hint")} />
        <${Button} type="submit" kind=${loginAt ? "" : "primary"}>${t("common.sign-in")}<//>
      </form>
      <details><summary>${t("common.no-token")}</summary><p>${t("common.no-token-how")}</p><pre><code>sangam token create --role operator --name my-console</code></pre></details>
    </main>
    <${Toasts} />
  </div>`;
}
