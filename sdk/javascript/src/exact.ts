/**
 * JSON whose numbers keep their digits. A 20-digit id, `10.10` or `1e-400` doesn't fit a JavaScript number; each
 * becomes an `ExactNumber`, which goes out as it came in.
 */

/** A JSON number that a JavaScript number can't give back digit by digit. Counts as a number where one is wanted: `2 * exact`. */
export class ExactNumber {
  /** The number as it stood in the JSON text. */
  readonly text: string;

  constructor(text: string) {
    if (!/^-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?$/.test(text)) {
      throw new TypeError(`\`${text}\` is no JSON number`);
    }
    this.text = text;
  }

  /** The nearest JavaScript number. */
  valueOf(): number {
    return Number(this.text);
  }

  /** All digits. */
  toString(): string {
    return this.text;
  }

  toJSON(): unknown {
    return raw(this.text);
  }
}

interface WithSource {
  source?: string;
}

// Of the JSON.parse source text access proposal; QuickJS has both, Node from 22 on.
const native = JSON as unknown as {
  rawJSON?: (text: string) => unknown;
  parse(text: string, reviver: (key: string, value: unknown, context?: WithSource) => unknown): unknown;
};

/** Stands around a number that JSON.stringify is to write without quotes, where the engine has no rawJSON. */
const FENCE = "\u0001sangam-number\u0001";
const FENCED = /"\\u0001sangam-number\\u0001([^"\\]*)\\u0001sangam-number\\u0001"/g;

function raw(text: string): unknown {
  return native.rawJSON === undefined ? `${FENCE}${text}${FENCE}` : native.rawJSON(text);
}

/**
 * A number that may lose digits: sixteen of them, a fraction that ends in 0, an exponent, minus zero. Also matches within some
 * strings, which costs only time.
 */
const SUSPICIOUS = /(?:^|[:,[])\s*(?:-?(?:[\d.]{16}|\d+\.\d*0(?!\d)|\d+(?:\.\d+)?[eE])|-0(?![\d.]))/;

/** Parses JSON; numbers whose digits would be lost become {@link ExactNumber}. Throws `SyntaxError`. */
export function parse(text: string): unknown {
  if (!SUSPICIOUS.test(text)) {
    return JSON.parse(text);
  }
  if (!hasSource()) {
    return parseSlowly(text);
  }
  return native.parse(text, (_key, value, context) =>
    typeof value === "number" && context?.source !== undefined && String(value) !== context.source ? new ExactNumber(context.source) : value,
  );
}

let source: boolean | undefined;

function hasSource(): boolean {
  if (source === undefined) {
    source = false;
    native.parse("1", (_key, value, context) => {
      source = context?.source === "1";
      return value;
    });
  }
  return source;
}

/** Where the engine gives no source: numbers outside of strings are fenced into strings, and taken out again. */
function parseSlowly(text: string): unknown {
  JSON.parse(text); // whatever is no JSON is found here, in the engine's words
  const fenced = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (token) =>
    token.startsWith('"') || String(Number(token)) === token ? token : JSON.stringify(`${FENCE}${token}${FENCE}`),
  );
  return JSON.parse(fenced, (_key, value: unknown) =>
    typeof value === "string" && value.startsWith(FENCE) ? new ExactNumber(value.slice(FENCE.length, -FENCE.length)) : value,
  );
}

/**
 * Writes JSON. `ExactNumber` and bigint are written with all their digits, lone surrogates as U+FFFD; what JSON can't hold (undefined, functions) is
 * null at the top.
 */
export function stringify(value: unknown): string {
  const text = JSON.stringify(value, bigints);
  if (text === undefined) {
    return "null";
  }
  const whole = native.rawJSON === undefined ? text.replace(FENCED, "$1") : text;
  // JSON.stringify escapes lone surrogates, which other readers of JSON refuse.
  return whole.includes("\\ud") ? whole.replace(/\\(?:u(d[89a-f][0-9a-f]{2})|.)/g, (escape, lone) => (lone === undefined ? escape : "\ufffd")) : whole;
}

function bigints(_key: string, value: unknown): unknown {
  return typeof value === "bigint" ? raw(String(value)) : value;
}

/** The value as plain JavaScript: integers that a number can't hold as bigint, other exact numbers as the nearest number. */
export function plain(value: unknown): unknown {
  if (value instanceof ExactNumber) {
    return /^-?\d+$/.test(value.text) && !Number.isSafeInteger(Number(value.text)) ? BigInt(value.text) : Number(value.text);
  }
  if (Array.isArray(value)) {
    return value.map(plain);
  }
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, plain(member)]));
  }
  return value;
}
