/** `console`: its lines go to the log of the run. */

import { stackOf } from "../failure.ts";
import { type Level, host } from "../host.ts";

/** How deep objects are shown. */
const DEPTH = 4;

function line(level: Level) {
  return (...values: unknown[]): void => host().log(level, `${"  ".repeat(indent)}${format(values)}`.toWellFormed(), []);
}

let indent = 0;
const counts = new Map<string, number>();
const timers = new Map<string, number>();

/** Forgets what an earlier call left behind. */
export function resetConsole(): void {
  indent = 0;
  counts.clear();
  timers.clear();
}

const info = line("info");

function group(...label: unknown[]): void {
  if (label.length > 0) {
    info(...label);
  }
  indent += 1;
}

/** The global `console`. */
export const console = {
  log: info,
  info,
  debug: line("debug"),
  trace: line("trace"),
  warn: line("warn"),
  error: line("error"),
  dir: (value: unknown) => info(value),
  table: (value: unknown) => info(value),
  assert: (truth: unknown, ...values: unknown[]) => (truth ? undefined : line("error")("Assertion failed:", ...values)),
  count: (label = "default") => {
    counts.set(label, (counts.get(label) ?? 0) + 1);
    info(`${label}: ${counts.get(label)}`);
  },
  countReset: (label = "default") => void counts.delete(label),
  time: (label = "default") => void timers.set(label, performance.now()),
  timeLog: (label = "default") => info(`${label}: ${(performance.now() - (timers.get(label) ?? Number.NaN)).toFixed(3)} ms`),
  timeEnd: (label = "default") => {
    console.timeLog(label);
    timers.delete(label);
  },
  group,
  groupCollapsed: group,
  groupEnd: () => void (indent = Math.max(0, indent - 1)),
};

/** Values as `console.log` writes them, `%s` and its like included. */
export function format(values: unknown[]): string {
  const rest = [...values];
  const parts: string[] = [];
  if (typeof rest[0] === "string" && rest.length > 1) {
    const template = rest.shift() as string;
    parts.push(
      template.replace(/%([sdifoOjc%])/g, (whole, how: string) => {
        if (how === "%") {
          return "%";
        }
        if (rest.length === 0) {
          return whole;
        }
        const value = rest.shift();
        switch (how) {
          case "c":
            return "";
          case "d":
            return String(Number(value));
          case "i":
            return String(Math.trunc(Number(value)));
          case "f":
            return String(Number.parseFloat(String(value)));
          case "s":
            return typeof value === "object" ? show(value, 1) : String(value);
          default:
            return show(value, DEPTH);
        }
      }),
    );
  }
  parts.push(...rest.map((value) => (typeof value === "string" ? value : show(value, DEPTH))));
  return parts.join(" ");
}

function show(value: unknown, depth: number, above: readonly unknown[] = []): string {
  if (typeof value === "string") {
    return JSON.stringify(value);
  }
  if (typeof value === "bigint") {
    return `${value}n`;
  }
  if (typeof value === "function") {
    return `[function ${value.name || "(anonymous)"}]`;
  }
  if (typeof value !== "object" || value === null) {
    return String(value);
  }
  if (value instanceof Error) {
    return [`${value.name}: ${value.message}`, ...stackOf(value)].join("\n  ");
  }
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  }
  if (value instanceof RegExp) {
    return String(value);
  }
  if (above.includes(value)) {
    return "[circular]";
  }
  if (depth === 0) {
    return Array.isArray(value) ? "[…]" : "{…}";
  }
  const inside = (member: unknown): string => show(member, depth - 1, [...above, value]);
  if (Array.isArray(value)) {
    return `[${value.map(inside).join(", ")}]`;
  }
  if (value instanceof Map) {
    return `Map {${[...value].map(([key, member]) => `${inside(key)} => ${inside(member)}`).join(", ")}}`;
  }
  if (value instanceof Set) {
    return `Set {${[...value].map(inside).join(", ")}}`;
  }
  if (ArrayBuffer.isView(value)) {
    return `${value.constructor.name}(${value.byteLength} bytes)`;
  }
  const name = value.constructor?.name;
  const members = Object.entries(value).map(([key, member]) => `${/^[\w$]+$/.test(key) ? key : JSON.stringify(key)}: ${inside(member)}`);
  return `${name === undefined || name === "Object" ? "" : `${name} `}{ ${members.join(", ")} }`;
}
