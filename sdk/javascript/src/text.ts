/** Text to UTF-8 and back. QuickJS has no TextDecoder; its base64 and URI functions are native, and so do the work. */

interface Base64 {
  toBase64(): string;
}
const bytesFrom = Uint8Array as unknown as { fromBase64?: (text: string) => Uint8Array };
/** Where there is no base64, there is Node. By way of globalThis: in a component the bare names stand for what is made of this file. */
const native = bytesFrom.fromBase64 === undefined ? globalThis : undefined;

/** The text in UTF-8; lone surrogates become U+FFFD. */
export function encodeText(text: string): Uint8Array {
  if (native !== undefined) {
    return new native.TextEncoder().encode(text);
  }
  const wellFormed = text.toWellFormed();
  return (bytesFrom.fromBase64 as (text: string) => Uint8Array)(btoa(unescape(encodeURIComponent(wellFormed))));
}

/** The text of UTF-8 bytes; throws `URIError` or `TypeError` where they are none. Keeps a byte order mark. */
export function decodeTextStrictly(bytes: Uint8Array): string {
  if (native !== undefined) {
    return new native.TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  }
  const latin = atob((bytes as unknown as Base64).toBase64());
  return /[\x80-\xff]/.test(latin) ? decodeURIComponent(escape(latin)) : latin;
}

/** The text of bytes; what is not UTF-8 is replaced by U+FFFD. */
export function decodeText(bytes: Uint8Array): string {
  try {
    return decodeTextStrictly(bytes);
  } catch {
    return replacing(bytes);
  }
}

/** The decoder of the Encoding Standard, which says how many U+FFFD a broken sequence becomes. */
function replacing(bytes: Uint8Array): string {
  const parts: string[] = [];
  let point = 0;
  let needed = 0;
  let lower = 0x80;
  let upper = 0xbf;
  for (let index = 0; index < bytes.length; index += 1) {
    const byte = bytes[index] as number;
    if (needed === 0) {
      if (byte < 0x80) {
        parts.push(String.fromCharCode(byte));
      } else if (byte >= 0xc2 && byte <= 0xdf) {
        [needed, point] = [1, byte & 0x1f];
      } else if (byte >= 0xe0 && byte <= 0xef) {
        [needed, point] = [2, byte & 0xf];
        lower = byte === 0xe0 ? 0xa0 : 0x80;
        upper = byte === 0xed ? 0x9f : 0xbf;
      } else if (byte >= 0xf0 && byte <= 0xf4) {
        [needed, point] = [3, byte & 0x7];
        lower = byte === 0xf0 ? 0x90 : 0x80;
        upper = byte === 0xf4 ? 0x8f : 0xbf;
      } else {
        parts.push("\ufffd");
      }
      continue;
    }
    if (byte < lower || byte > upper) {
      parts.push("\ufffd");
      [needed, lower, upper] = [0, 0x80, 0xbf];
      index -= 1;
      continue;
    }
    [lower, upper, point] = [0x80, 0xbf, (point << 6) | (byte & 0x3f)];
    needed -= 1;
    if (needed === 0) {
      parts.push(String.fromCodePoint(point));
    }
  }
  if (needed > 0) {
    parts.push("\ufffd");
  }
  return parts.join("");
}
