/** The imports of a component, as componentize-qjs gives them. */

declare module "sangam:connector/http@0.1.0" {
  export const send: import("../host.ts").Host["http"]["send"];
  export const key: import("../host.ts").Host["http"]["key"];
}

declare module "sangam:connector/key-value@0.1.0" {
  const keyValue: import("../host.ts").Host["keyValue"];
  export default keyValue;
}

declare module "sangam:connector/log@0.1.0" {
  export const log: import("../host.ts").Host["log"];
}

declare module "wasi:clocks/monotonic-clock@0.2.12" {
  /** Nanoseconds. */
  export function subscribeDuration(when: number): { block(): void };
}

declare module "wasi:random/random@0.2.12" {
  export function getRandomBytes(length: number): Uint8Array;
}
