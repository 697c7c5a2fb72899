// What is known of a thing: pairs of a name and a value, meters against limits, lists of identifiers.
import { html } from "../preact.js";
import { number, t } from "../i18n.js";
import { plain } from "../text.js";

/** `facts`: `[[name, value]]`; a pair whose value is `null`, `undefined` or `false` is left out. */
export function Facts({ facts }) {
  const known = facts.filter(([, value]) => value !== null && value !== undefined && value !== false);
  return html`<dl class="facts">${known.map(([name, value]) => [html`<dt key=${`${name}-name`}>${name}</dt>`, html`<dd key=${name}>${value}</dd>`])}</dl>`;
}

/** How much of a limit was used: by length, number and word. `format` writes a number. */
export function Meter({ label, value, max, format = number }) {
  const share = max > 0 ? value / max : 0;
  const tone = share >= 0.95 ? "bad" : share >= 0.75 ? "warn" : "ok";
  const words = t("plugins.of", { used: format(value), limit: format(max) });
  return html`<div class="meter" data-tone=${tone}>
    <span class="meter-label">${label}</span>
    <span class="meter-bar" role="img" aria-label=${`${label}: ${words}`}><span style=${{ inlineSize: `${Math.min(100, Math.max(share > 0 ? 1 : 0, share * 100))}%` }}></span></span>
    <span class="number small">${words}</span>
  </div>`;
}

/** From so many letters on a line may end behind a slash, and from so many behind a dot, too. */
const [LONG, LONGER] = [16, 24];

/** An address or a name, with places where a line may end. */
function breakable(text) {
  const whole = plain(text);
  if (whole.length <= LONG) return whole;
  return whole.split(whole.length > LONGER ? /(?<=[./])(?=[^./])/ : /(?<=\/)(?=[^/])/).map((piece, index) => (index > 0 ? html`<wbr />${piece}` : piece));
}

/** Identifiers, one beside the other. `href(value)`: where each leads. `none`: what is said where there are none. */
export function Names({ values, href, none = "–" }) {
  if (!values || values.length === 0) return html`<span class="faint">${none}</span>`;
  return html`<span class="names">${values.map((value) =>
    html`<span key=${value}>${href ? html`<a href=${href(value)}>${breakable(value)}</a>` : html`<code>${breakable(value)}</code>`}</span>`)}</span>`;
}
