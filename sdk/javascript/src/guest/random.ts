/**
 * Random numbers of a component. What QuickJS seeds was frozen with the snapshot, so all of them are drawn from the host: the same on every attempt of
 * a step, others in every other step.
 */

import { getRandomBytes } from "wasi:random/random@0.2.12";

/** Bytes drawn ahead, so that a number costs no call of the host. */
const POOL = 256;

let pool: Uint8Array = new Uint8Array(0);
let used = 0;

/** Forgets what an earlier call drew. */
export function resetRandom(): void {
  pool = new Uint8Array(0);
  used = 0;
}

function draw(count: number): Uint8Array {
  if (count > POOL) {
    return getRandomBytes(count);
  }
  if (used + count > pool.length) {
    pool = getRandomBytes(POOL);
    used = 0;
  }
  used += count;
  return pool.subarray(used - count, used);
}

/** `Math.random` */
export function random(): number {
  const bytes = draw(7);
  let number = (bytes[0] as number) & 0x1f;
  for (let index = 1; index < 7; index += 1) {
    number = number * 256 + (bytes[index] as number);
  }
  return number / 2 ** 53;
}

/** The global `crypto`: random values only. */
export const crypto = {
  getRandomValues<T extends ArrayBufferView>(into: T): T {
    if (into.byteLength > 65_536) {
      throw new DOMException(`${into.byteLength} random bytes at once are too many: 65536 at most`, "QuotaExceededError");
    }
    new Uint8Array(into.buffer, into.byteOffset, into.byteLength).set(draw(into.byteLength));
    return into;
  },

  randomUUID(): string {
    const bytes = Uint8Array.from(draw(16));
    bytes[6] = ((bytes[6] as number) & 0x0f) | 0x40;
    bytes[8] = ((bytes[8] as number) & 0x3f) | 0x80;
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
  },
};
