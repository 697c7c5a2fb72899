// The next rows of a list, and how far something has come.
import { html } from "../preact.js";
import { number, t } from "../i18n.js";
import { Button } from "./button.js";
import { Problem } from "./problem.js";

/** `list`: what `useList` gives. */
export function LoadMore({ list }) {
  if (list.problem && list.items.length > 0) return html`<${Problem} problem=${list.problem} retry=${list.loadMore} />`;
  return html`<div class="load-more"><span>${t("common.rows-shown", { n: list.items.length })}</span>
    ${list.more && html`<${Button} icon="down" disabled=${list.loading} onClick=${list.loadMore}>${t("common.load-more")}<//>`}</div>`;
}

/** `value` of `max`; without `max`, that something is under way. `label` is shown and read. */
export function Progress({ label, value, max }) {
  return html`<div class="progress"><label><span>${label}</span>
    <progress value=${max ? value : undefined} max=${max || undefined}></progress></label>
    ${max ? html`<span class="number">${number(value)} / ${number(max)}</span>` : null}</div>`;
}
