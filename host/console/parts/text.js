// Text of others, as text: hidden characters are spelled out and marked.
import { html } from "../preact.js";
import { t } from "../i18n.js";
import { pieces } from "../text.js";

/** `value`; `lines`: with its line ends. */
export function Text({ value, lines = false }) {
  const parts = pieces(value, lines);
  if (parts.every((part) => !part.hidden)) return html`<span class=${lines ? "lines" : ""} dir="auto">${value ?? ""}</span>`;
  return html`<span class=${lines ? "lines" : ""} dir="auto">${parts.map((part) =>
    part.hidden ? html`<span class="hidden-character" title=${t("common.hidden-character")}>${part.text}</span>` : part.text)}</span>`;
}
