// What every page stands in: its heading, which takes the focus when one comes here, and the sections below it.
import { html, useEffect, useRef } from "../preact.js";
import { t } from "../i18n.js";
import { arrival } from "../router.js";
import { Icon } from "./icon.js";

/** `title`; `crumbs`: `[{ href, title }]` above it; `actions`: buttons beside it; `lead`: a sentence below it. Stands once, outermost, on every page. */
export function Page({ title, crumbs, actions, lead, children }) {
  const heading = useRef(null);
  useEffect(() => {
    document.title = `${title} · Sangam`;
  }, [title]);
  useEffect(() => {
    if (!arrival.pending) return;
    arrival.pending = false;
    heading.current?.focus({ preventScroll: true });
  }, []);
  return html`<div class="page">
    ${crumbs && html`<nav class="crumbs" aria-label=${t("common.breadcrumb")}><ol>
      ${crumbs.map((crumb) => html`<li key=${crumb.href}><a href=${crumb.href}>${crumb.title}</a></li>`)}<li aria-current="page">${title}</li>
    </ol></nav>`}
    <header class="page-head"><h1 tabindex="-1" ref=${heading}>${title}</h1>${actions && html`<div class="actions">${actions}</div>`}</header>
    ${lead && html`<p class="lead">${lead}</p>`}
    ${children}
  </div>`;
}

let ids = 0;

/** A part of a page, with a heading of level 2. `actions` beside it; `plainly`: without a frame. */
export function Section({ title, actions, children, plainly = false, hideTitle = false }) {
  const id = useRef(`section-${++ids}`).current;
  return html`<section class=${plainly ? "section" : "section card"} aria-labelledby=${id}>
    <header class=${hideTitle ? "unseen" : ""}><h2 id=${id}>${title}</h2>${actions && html`<div class="actions">${actions}</div>`}</header>
    ${children}
  </section>`;
}

/** Nothing is here: `title` says so, children say what to do. */
export function Empty({ title, icon = "info", children }) {
  return html`<div class="empty"><${Icon} name=${icon} size="24" /><p><strong>${title}</strong></p>${children}</div>`;
}

export function Loading({ label }) {
  return html`<p class="loading" role="status"><span class="spinner" aria-hidden="true"></span>${label ?? t("common.loading")}</p>`;
}
