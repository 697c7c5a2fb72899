/** `TextEncoder` and `TextDecoder`, for UTF-8. */

import { decodeText, decodeTextStrictly, encodeText } from "../text.ts";

/** Text to UTF-8. */
export class TextEncoder {
  readonly encoding = "utf-8";

  encode(text = ""): Uint8Array {
    return encodeText(String(text));
  }

  encodeInto(text: string, into: Uint8Array): { read: number; written: number } {
    let read = 0;
    let written = 0;
    for (const char of text) {
      const bytes = encodeText(char);
      if (written + bytes.length > into.length) {
        break;
      }
      into.set(bytes, written);
      written += bytes.length;
      read += char.length;
    }
    return { read, written };
  }
}

/** UTF-8 to text. */
export class TextDecoder {
  readonly encoding = "utf-8";
  readonly fatal: boolean;
  readonly ignoreBOM: boolean;
  #held = new Uint8Array(0);
  #begun = false;

  constructor(label = "utf-8", { fatal = false, ignoreBOM = false }: { fatal?: boolean; ignoreBOM?: boolean } = {}) {
    if (!/^\s*(utf-?8|unicode-1-1-utf-8|unicode11utf8|unicode20utf8|x-unicode20utf8)\s*$/i.test(label)) {
      throw new RangeError(`the encoding \`${label}\` is not available in a connector: UTF-8 is`);
    }
    this.fatal = fatal;
    this.ignoreBOM = ignoreBOM;
  }

  decode(input?: ArrayBuffer | ArrayBufferView, { stream = false }: { stream?: boolean } = {}): string {
    let bytes = joined(this.#held, bytesOf(input));
    const whole = stream ? bytes.length - incomplete(bytes) : bytes.length;
    this.#held = bytes.slice(whole);
    bytes = bytes.subarray(0, whole);
    let text: string;
    if (this.fatal) {
      try {
        text = decodeTextStrictly(bytes);
      } catch {
        throw new TypeError("the bytes are no UTF-8");
      }
    } else {
      text = decodeText(bytes);
    }
    const first = !this.#begun;
    this.#begun = stream && (this.#begun || text !== "");
    return first && !this.ignoreBOM && text.startsWith("\ufeff") ? text.slice(1) : text;
  }
}

function bytesOf(input: ArrayBuffer | ArrayBufferView | undefined): Uint8Array {
  if (input === undefined) {
    return new Uint8Array(0);
  }
  return ArrayBuffer.isView(input) ? new Uint8Array(input.buffer, input.byteOffset, input.byteLength) : new Uint8Array(input);
}

function joined(a: Uint8Array, b: Uint8Array): Uint8Array<ArrayBuffer> {
  const both = new Uint8Array(a.length + b.length);
  both.set(a);
  both.set(b, a.length);
  return both;
}

/** How many bytes at the end begin a character that may go on. */
function incomplete(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back += 1) {
    const byte = bytes[bytes.length - back] as number;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? back : 0;
    }
    if (byte < 0x80) {
      return 0;
    }
  }
  return 0;
}
