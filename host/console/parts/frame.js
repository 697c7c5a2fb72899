// The frame around every page: a way past it, the navigation, the bar with the language, the theme, and who is signed in.
import { html, useEffect, useRef, useState } from "../preact.js";
import { signOut } from "../api.js";
import { language, LANGUAGES, speak, t } from "../i18n.js";
import { useLiveState } from "../live.js";
import { may, useSession } from "../session.js";
import { plain } from "../text.js";
import { Button } from "./button.js";
import { Confirmations } from "./dialog.js";
import { Icon } from "./icon.js";
import { Status } from "./status.js";
import { Toasts } from "./toast.js";

const THEMES = ["auto", "light", "dark"];
const THEME_ICONS = { auto: "auto", light: "sun", dark: "moon" };

function theme() {
  return document.documentElement.dataset.theme ?? "auto";
}

function setTheme(name) {
  try {
    if (name === "auto") localStorage.removeItem("sangam.theme");
    else localStorage.setItem("sangam.theme", name);
  } catch {
    // It lasts as long as the page, then.
  }
  if (name === "auto") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  // Plots are drawn on a canvas, which no style sheet reaches.
  dispatchEvent(new Event("sangam-theme"));
}

/** Language and theme: on the sign-in page, too. */
export function Preferences() {
  const [chosen, choose] = useState(theme());
  const turn = () => {
    const next = THEMES[(THEMES.indexOf(chosen) + 1) % THEMES.length];
    setTheme(next);
    choose(next);
  };
  return html`<div class="preferences">
    <select class="small" aria-label=${t("common.language")} value=${language.value} onChange=${(event) => speak(event.target.value)}>
      ${LANGUAGES.map((one) => html`<option key=${one.code} value=${one.code} lang=${one.code} selected=${one.code === language.value}>${one.name}</option>`)}
    </select>
    <${Button} kind="quiet" icon=${THEME_ICONS[chosen]} label=${t("common.theme", { theme: t(`common.theme-${chosen}`) })} onClick=${turn} />
  </div>`;
}

function Navigation({ pages, path, open, onGo }) {
  const groups = ["watch", "work", "parts", "host"];
  return html`<nav id="navigation" class=${open ? "navigation open" : "navigation"} aria-label=${t("common.navigation")}>
    ${groups.map((group) => html`<div class="nav-group" key=${group}>
      <h2 id=${`nav-${group}`}>${t(`common.nav-${group}`)}</h2>
      <ul aria-labelledby=${`nav-${group}`}>${pages.filter((page) => page.nav === group).map((page) => {
        const here = page.path === path;
        const within = !here && page.path !== "/" && path.startsWith(`${page.path}/`);
        const needs = page.needs ?? "read";
        const refused = !may(needs);
        return html`<li key=${page.path}><a href=${page.path} onClick=${onGo} aria-current=${here ? "page" : within ? "true" : undefined}
          title=${refused ? t("common.not-allowed", { permission: t(`common.permission-${needs}`) }) : undefined} class=${refused ? "refused" : undefined}>
          <${Icon} name=${page.module} /><span>${t(`common.page-${page.module}`)}</span></a></li>`;
      })}</ul>
    </div>`)}
  </nav>`;
}

function Who() {
  const { me } = useSession();
  if (!me) return null;
  if (me.kind === "anyone") return html`<span class="who" title=${t("common.open-mode-why")}><${Status} state="open-mode" tone="warn" label=${t("common.open-mode")} /></span>`;
  return html`<span class="who"><span class="who-name">${plain(me.name)}</span> <span class="faint">${t(`common.role-${me.role}`)}</span></span>
    <${Button} kind="quiet" icon="leave" label=${t("common.sign-out")} onClick=${signOut} />`;
}

function Live() {
  const state = useLiveState();
  if (state === "off") return null;
  return html`<span class="live" title=${t(`common.live-${state}-why`)}><${Status} state=${state} label=${t(`common.live-${state}`)} /></span>`;
}

export function Frame({ pages, place, children }) {
  const [open, setOpen] = useState(false);
  const main = useRef(null);
  const button = useRef(null);
  useEffect(() => setOpen(false), [place.path]);
  useEffect(() => {
    if (!open) return;
    const close = (event) => {
      if (event.key !== "Escape") return;
      setOpen(false);
      document.getElementById("menu-button")?.focus();
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, [open]);
  const skip = (event) => {
    event.preventDefault();
    main.current.focus();
    main.current.scrollIntoView();
  };
  return html`<div class="frame">
    <a class="skip" href="#main" onClick=${skip}>${t("common.skip")}</a>
    <header class="bar">
      <button type="button" id="menu-button" class="button quiet only-icon menu-button" ref=${button} aria-expanded=${open ? "true" : "false"} aria-controls="navigation"
        aria-label=${t("common.menu")} onClick=${() => setOpen(!open)}><${Icon} name=${open ? "bad" : "menu"} /></button>
      <a class="brand" href="/"><img src="/console/icon.svg" alt="" width="22" height="22" /><span>Sangam</span></a>
      <div class="bar-end"><${Live} /><${Preferences} /><${Who} /></div>
    </header>
    <${Navigation} pages=${pages} path=${place.path} open=${open} onGo=${() => setOpen(false)} />
    <main id="main" tabindex="-1" ref=${main}>${children}</main>
    <${Toasts} /><${Confirmations} />
  </div>`;
}
