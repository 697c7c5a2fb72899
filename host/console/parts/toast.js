// Short messages on what has been done or went wrong, shown at the edge and read out.
import { html, useEffect } from "../preact.js";
import { Signal, useSignal } from "../signal.js";
import { t } from "../i18n.js";
import { Icon } from "./icon.js";

/** How long a message stays that asks for nothing. Errors stay until they are closed. */
const STAYS = 8_000;
const MOST = 4;

const toasts = new Signal([]);
const said = new Signal("");
let next = 1;

const drop = (id) => {
  toasts.value = toasts.value.filter((one) => one.id !== id);
};

/** `kind`: `ok`, `bad` (stays until it is closed) or `info`. */
export function toast(text, { kind = "ok" } = {}) {
  const id = next++;
  toasts.value = [...toasts.value.filter((one) => one.text !== text), { id, text, kind }].slice(-MOST);
  if (kind !== "bad") setTimeout(() => drop(id), STAYS);
}

/** Reads something out without showing it: what changed on the page by itself. */
export function announce(text) {
  said.value = "";
  requestAnimationFrame(() => {
    said.value = text;
  });
}

/** Stands once in the frame. */
export function Toasts() {
  const shown = useSignal(toasts);
  const text = useSignal(said);
  useEffect(() => {
    const close = (event) => {
      if (event.key === "Escape" && toasts.value.length > 0 && !document.querySelector("dialog[open]")) drop(toasts.value.at(-1).id);
    };
    addEventListener("keydown", close);
    return () => removeEventListener("keydown", close);
  }, []);
  return html`<div class="toasts" role="status" aria-live="polite">
      ${shown.map((one) => html`<div class="toast" data-tone=${one.kind} key=${one.id}>
        <${Icon} name=${one.kind} /><span>${one.text}</span>
        <button type="button" class="button quiet only-icon small" aria-label=${t("common.close")} onClick=${() => drop(one.id)}><${Icon} name="bad" /></button>
      </div>`)}
    </div>
    <div class="unseen" role="status" aria-live="polite">${text}</div>`;
}
