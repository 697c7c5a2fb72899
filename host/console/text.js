// Text of events, plugins and systems is data: what does not show as itself is shown by its number (the same rule as the host's `telemetry::plain`).

const HIDDEN =
  /[\p{Cc}\u{ad}\u{61c}\u{115f}\u{1160}\u{180e}\u{200b}-\u{200f}\u{2028}-\u{202e}\u{2060}-\u{206f}\u{3164}\u{feff}\u{ffa0}\u{fff0}-\u{fffb}\u{e0000}-\u{e007f}]/gu;
const NAMED = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

const spelled = (character) => NAMED[character] ?? `\\u{${character.codePointAt(0).toString(16)}}`;

/** On one line. */
export const plain = (text) => String(text ?? "").replace(HIDDEN, spelled);

/** With its line ends. */
export const plainLines = (text) => String(text ?? "").replace(HIDDEN, (character) => (character === "\n" ? "\n" : spelled(character)));

/** `[{ text, hidden }]`: for those who mark what was hidden. */
export function pieces(text, lines = false) {
  const found = [];
  let from = 0;
  const whole = String(text ?? "");
  for (const match of whole.matchAll(HIDDEN)) {
    if (lines && match[0] === "\n") continue;
    if (match.index > from) found.push({ text: whole.slice(from, match.index), hidden: false });
    found.push({ text: spelled(match[0]), hidden: true });
    from = match.index + match[0].length;
  }
  if (from < whole.length) found.push({ text: whole.slice(from), hidden: false });
  return found;
}
