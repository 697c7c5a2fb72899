// Times and durations. A time that is told from now on counts by itself.
import { html } from "../preact.js";
import { duration, relative, time, useLanguage } from "../i18n.js";
import { Signal, useSignal } from "../signal.js";

const EVERY = 10_000;
const now = new Signal(Date.now());
setInterval(() => {
  if (!document.hidden) now.value = Date.now();
}, EVERY);

/** `at`: RFC 3339. How long ago or until; the whole time on the pointer, and read where `full`. */
export function RelativeTime({ at, full = false }) {
  useLanguage();
  const present = useSignal(now);
  if (!at) return html`<span class="faint">–</span>`;
  // What has just come is not in the future because the clock of this component stands.
  const words = relative(at, new Date(at).getTime() > present ? Date.now() : present);
  return html`<time datetime=${at} title=${time(at)}>${full ? `${time(at)} (${words})` : words}</time>`;
}

/** `ms`: milliseconds. */
export const Duration = ({ ms }) => html`<span class="number">${duration(ms)}</span>`;
