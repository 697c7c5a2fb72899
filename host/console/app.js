// The console: the table of its pages, and what is shown of them.
import { html, render, useEffect, useState } from "./preact.js";
import { may, session, useSession } from "./session.js";
import { whoAmI } from "./api.js";
import { need, t, useLanguage } from "./i18n.js";
import { fits, listen, usePlace } from "./router.js";
import { Frame } from "./parts/frame.js";
import { SignIn } from "./parts/sign-in.js";
import { Page, Problem, Loading } from "./parts/index.js";

/**
 * Every page: `path` (`:name` becomes the component's property `name`, beside `query`), `module` in `pages/`, `areas` of words it needs.
 * `nav`: its group in the navigation; `needs`: the permission that it takes to read anything there.
 */
export const PAGES = [
  { path: "/", module: "overview", areas: ["overview"], nav: "watch" },
  { path: "/flow", module: "flow", areas: ["flow"], nav: "watch" },
  { path: "/events", module: "events", areas: ["events"], nav: "work" },
  { path: "/events/:eid", module: "event", areas: ["events"] },
  { path: "/dead-letters", module: "dead-letters", areas: ["dead-letters"], nav: "work" },
  { path: "/plugins", module: "plugins", areas: ["plugins"], nav: "parts" },
  { path: "/plugins/:name", module: "plugin", areas: ["plugins"] },
  { path: "/credentials", module: "credentials", areas: ["credentials"], nav: "parts" },
  { path: "/routes", module: "routes", areas: ["routes"], nav: "parts" },
  { path: "/routes/:name", module: "route", areas: ["routes"] },
  { path: "/sources", module: "sources", areas: ["sources"], nav: "parts" },
  { path: "/sources/:name", module: "source", areas: ["sources"] },
  { path: "/webhooks", module: "webhooks", areas: ["webhooks"], nav: "parts" },
  { path: "/audit", module: "audit", areas: ["audit"], nav: "host", needs: "administer" },
  { path: "/tokens", module: "tokens", areas: ["tokens"], nav: "host", needs: "administer" },
  { path: "/system", module: "system", areas: ["system", "routes", "audit"], nav: "host" },
];

/** `{ page, parts }` of a path, or nothing. */
export function pageOf(path) {
  for (const page of PAGES) {
    const parts = fits(page.path, path);
    if (parts) return { page, parts };
  }
  return null;
}

/** The permission without which there is nothing to see on a page. */
export const needed = (page) => page.needs ?? "read";

const modules = new Map();

function NotFound({ path }) {
  return html`<${Page} title=${t("common.not-found")}>
    <p>${t("common.nothing-at", { path })}</p>
    <p><a href="/">${t("common.to-overview")}</a></p>
  <//>`;
}

/** A page of others: said once, rather than by each part of it. */
function Forbidden({ page }) {
  return html`<${Page} title=${t(`common.page-${page.module}`)}>
    <div class="notice stack tight" data-tone="warn"><p><strong>${t("common.forbidden")}</strong></p>
      <p>${t("common.not-allowed", { permission: t(`common.permission-${needed(page)}`) })}</p>
      <p>${t("common.forbidden-how")}</p></div>
    ${may("read") && html`<p><a href="/">${t("common.to-overview")}</a></p>`}
  <//>`;
}

/** The page of a path, loaded when it is first gone to. */
function Shown({ path, query }) {
  const found = pageOf(path);
  const name = found?.page.module;
  const [state, set] = useState({ name: null, component: null, problem: null });
  useEffect(() => {
    if (!found) return;
    let left = false;
    const { page } = found;
    Promise.all([modules.get(name) ?? import(`./pages/${name}.js`), need(...page.areas)])
      .then(([module]) => {
        modules.set(name, module);
        if (!left) set({ name, component: module.default, problem: null });
      })
      .catch((problem) => !left && set({ name, component: null, problem }));
    return () => {
      left = true;
    };
  }, [name]);
  if (!found) return html`<${NotFound} path=${path} />`;
  if (!may(needed(found.page))) return html`<${Forbidden} page=${found.page} />`;
  if (state.name !== name) return html`<${Loading} />`;
  if (state.problem) {
    return html`<${Page} title=${t("common.page-failed")}><${Problem} problem=${state.problem} retry=${() => location.reload()} /><//>`;
  }
  // Another event, plugin or route is another page: nothing of the former one stays.
  return html`<${state.component} key=${path} query=${query} ...${found.parts} />`;
}

function App() {
  const language = useLanguage();
  const place = usePlace();
  const { state, problem } = useSession();
  useEffect(() => {
    whoAmI();
  }, []);
  if (state === "asking") return html`<main class="alone"><${Loading} /></main>`;
  if (state === "out") return html`<${SignIn} key=${language} />`;
  if (state === "failed") {
    return html`<main class="alone"><h1>Sangam</h1><${Problem} problem=${problem} retry=${whoAmI} /></main>`;
  }
  return html`<${Frame} key=${language} pages=${PAGES} place=${place}><${Shown} path=${place.path} query=${place.query} /><//>`;
}

async function start() {
  listen();
  const root = document.getElementById("app");
  try {
    await need();
  } catch (error) {
    root.textContent = `The console's files can't be read: ${error.message}. Load the page anew.`;
    return;
  }
  render(html`<${App} />`, root);
}

// A session that ends elsewhere, in another tab, is found out by the next request; a tab that comes back asks.
addEventListener("pageshow", (event) => {
  if (event.persisted && session.value.state === "in") whoAmI();
});

start();
