// Buttons. Who may not do what a button does sees it, and is told why it does nothing.
import { html, useRef, useState } from "../preact.js";
import { t } from "../i18n.js";
import { may, useSession } from "../session.js";
import { Icon } from "./icon.js";
import { toast } from "./toast.js";

/**
 * `onClick` may give a promise: the button is busy until it settles, and a problem is told. `needs`: the permission that it takes (`operate`,
 * `administer`). `kind`: `primary`, `danger`, `quiet` or none. `why`: a sentence on why it can't be used now. `label`: what is read where `icon` stands alone.
 */
export function Button({ children, onClick, kind = "", needs, why, icon, label, disabled = false, type = "button", small = false, ...rest }) {
  const [busy, setBusy] = useState(false);
  const alive = useRef(true);
  useSession();
  const refused = needs && !may(needs) ? t("common.not-allowed", { permission: t(`common.permission-${needs}`) }) : why;
  const blocked = Boolean(refused) || disabled || busy;
  const click = async (event) => {
    if (blocked) {
      event.preventDefault();
      if (refused) toast(refused, { kind: "info" });
      return;
    }
    const result = onClick?.(event);
    if (!(result instanceof Promise)) return;
    setBusy(true);
    try {
      await result;
    } catch (problem) {
      toast(problem.message, { kind: "bad" });
    } finally {
      if (alive.current) setBusy(false);
    }
  };
  // `aria-disabled` rather than `disabled`: the focus stays, and the reason can be read.
  return html`<button ...${rest} type=${type} class=${`button ${kind} ${small ? "small" : ""} ${children ? "" : "only-icon"}`} onClick=${click}
    aria-disabled=${blocked ? "true" : undefined} aria-busy=${busy ? "true" : undefined} aria-label=${label && refused ? `${label} (${refused})` : label} title=${refused ?? label}>
    ${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}${refused && html`<span class="unseen"> (${refused})</span>`}
  </button>`;
}

/** A link that looks like a button. */
export function LinkButton({ href, children, kind = "", icon, small = false, ...rest }) {
  return html`<a ...${rest} href=${href} class=${`button ${kind} ${small ? "small" : ""}`}>${icon && html`<${Icon} name=${icon} />`}<span>${children}</span></a>`;
}
