// The console's words, numbers and times in the reader's language. `messages/LANGUAGE/AREA.json` holds the words of one area.
import { Signal, useSignal } from "./signal.js";

/** Languages with their own names. */
export const LANGUAGES = [
  { code: "en", name: "English" },
  { code: "bn", name: "বাংলা" },
  { code: "hi", name: "हिन्दी" },
];
const KEPT = "sangam.language";
const known = (code) => LANGUAGES.some((language) => language.code === code);

/** By language and area. */
const catalogues = new Map();
const areas = new Set(["common"]);

/** The language that is shown. */
export const language = new Signal(first());

function first() {
  try {
    const kept = localStorage.getItem(KEPT);
    if (kept && known(kept)) return kept;
  } catch {
    // Nothing is kept here.
  }
  for (const wish of navigator.languages ?? []) {
    const code = wish.split("-")[0].toLowerCase();
    if (known(code)) return code;
  }
  return "en";
}

async function load(code, area) {
  const key = `${code}/${area}`;
  if (catalogues.has(key)) return;
  const answer = await fetch(new URL(`./messages/${code}/${area}.json`, import.meta.url));
  if (!answer.ok) throw new Error(`no words of ${area} in ${code}: ${answer.status}`);
  catalogues.set(key, await answer.json());
}

/** Loads the words of areas, in the language that is shown. Every page's are loaded before it. */
export async function need(...more) {
  for (const area of more) areas.add(area);
  await Promise.all([...areas].map((area) => load(language.value, area)));
  document.documentElement.lang = language.value;
}

/** Shows another language from now on, and remembers it. */
export async function speak(code) {
  await Promise.all([...areas].map((area) => load(code, area)));
  try {
    localStorage.setItem(KEPT, code);
  } catch {
    // It lasts as long as the page, then.
  }
  document.documentElement.lang = code;
  formats.clear();
  language.value = code;
}

/** A component that calls this is drawn anew when the language changes. */
export const useLanguage = () => useSignal(language);

function message(key) {
  const dot = key.indexOf(".");
  return catalogues.get(`${language.value}/${key.slice(0, dot)}`)?.[key.slice(dot + 1)];
}

/** Whether there are such words: for names that the host gives, such as states, which later hosts may have more of. */
export const knows = (key) => message(key) !== undefined;

/**
 * Words. `key` is `area.name`; `{name}` in them takes `values.name`, a number as the language writes it. Words that differ by a number stand as
 * `{"one": …, "other": …}` and take the form that `values.n` asks for (CLDR plural rules).
 */
export function t(key, values = {}) {
  let words = message(key);
  if (words && typeof words === "object") words = words[rules().select(values.n ?? 0)] ?? words.other;
  if (words === undefined) return key;
  return words.replace(/\{(\w+)\}/g, (whole, name) => {
    const value = values[name];
    if (value === undefined || value === null) return whole;
    return typeof value === "number" ? number(value) : String(value);
  });
}

const formats = new Map();

/** The reader's own variant of the language: `bn-IN` reads other numbers than `bn-BD`. */
function locale() {
  return (navigator.languages ?? []).find((wish) => wish.split("-")[0].toLowerCase() === language.value) ?? language.value;
}

function format(kind, options = {}) {
  const key = kind.name + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new kind(locale(), options));
  return formats.get(key);
}

const rules = () => format(Intl.PluralRules);

/** A number as the language writes it. */
export const number = (value, options) => (value === null || value === undefined ? "–" : format(Intl.NumberFormat, options).format(value));

/** A large number, short: 12 K. */
export const short = (value) => number(value, Math.abs(value ?? 0) >= 10_000 ? { notation: "compact", maximumFractionDigits: 1 } : { maximumFractionDigits: 1 });

/** A share, 0 to 1. */
export const percent = (value) => number(value, { style: "percent", maximumFractionDigits: value > 0 && value < 0.1 ? 1 : 0 });

/** Bytes. */
export function bytes(value) {
  if (value === null || value === undefined) return "–";
  const units = ["byte", "kilobyte", "megabyte", "gigabyte", "terabyte"];
  let step = 0;
  while (Math.abs(value) >= 1000 && step < units.length - 1) {
    value /= 1000;
    step += 1;
  }
  // "80 byte" is what some languages have for the short form.
  return number(value, { style: "unit", unit: units[step], unitDisplay: step ? "short" : "long", maximumFractionDigits: value < 10 && step ? 1 : 0 });
}

const unit = (value, name, digits = 0) => number(value, { style: "unit", unit: name, unitDisplay: "short", maximumFractionDigits: digits });

/** A duration of so many milliseconds, in its two greatest units. */
export function duration(ms) {
  if (ms === null || ms === undefined) return "–";
  if (ms < 1000) return unit(ms, "millisecond", ms < 10 ? 1 : 0);
  if (ms < 60_000) return unit(ms / 1000, "second", ms < 10_000 ? 1 : 0);
  const parts = [["day", 86_400_000], ["hour", 3_600_000], ["minute", 60_000], ["second", 1000]];
  const from = parts.findIndex(([, size]) => ms >= size);
  const [[large, size], next] = [parts[from], parts[from + 1]];
  const rest = next ? Math.floor((ms % size) / next[1]) : 0;
  const text = unit(Math.floor(ms / size), large);
  return rest ? `${text} ${unit(rest, next[0])}` : text;
}

const date = (value) => (value instanceof Date ? value : new Date(value));

/** Day and time, to the second. */
export const time = (value) => (value ? format(Intl.DateTimeFormat, { dateStyle: "medium", timeStyle: "medium" }).format(date(value)) : "–");

/** The time of day, to the second. */
export const clock = (value) => format(Intl.DateTimeFormat, { timeStyle: "medium" }).format(date(value));

/** The time of day, to the minute. */
export const minute = (value) => format(Intl.DateTimeFormat, { timeStyle: "short" }).format(date(value));

/** How long ago, or how long until. */
export function relative(value, now = Date.now()) {
  const ms = date(value).getTime() - now;
  const size = Math.abs(ms);
  const words = format(Intl.RelativeTimeFormat, { numeric: "auto" });
  if (size < 5_000) return words.format(0, "second");
  if (size < 60_000) return words.format(Math.round(ms / 1000), "second");
  if (size < 3_600_000) return words.format(Math.round(ms / 60_000), "minute");
  if (size < 86_400_000) return words.format(Math.round(ms / 3_600_000), "hour");
  if (size < 30 * 86_400_000) return words.format(Math.round(ms / 86_400_000), "day");
  return format(Intl.DateTimeFormat, { dateStyle: "medium" }).format(date(value));
}

/** Several things, as the language joins them. */
export const list = (values) => format(Intl.ListFormat, { type: "conjunction" }).format(values.map(String));
