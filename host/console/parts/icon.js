// Icons: drawn by strokes on a grid of 16, in the colour of the text around them. They never stand alone: a word is beside them or read in their place.
import { html } from "../preact.js";

const PATHS = {
  overview: "M2 13h12M4 13V8M8 13V3M12 13V6",
  flow: "M2 8h3m6-4h3M11 12h3M5 8c3 0 3-4 6-4M5 8c3 0 3 4 6 4",
  events: "M3 4h10M3 8h10M3 12h6",
  "dead-letters": "M2 4h12v8H2zM2 4l6 5 6-5",
  plugins: "M6 2v3M10 2v3M4 5h8v3a4 4 0 0 1-8 0zM8 12v2",
  credentials: "M10 6a3 3 0 1 1-2.6-3M8 8l-5 5v1h3v-2h2",
  routes: "M4 3v4a3 3 0 0 0 3 3h5M9 7l3 3-3 3",
  sources: "M8 2v8M5 7l3 3 3-3M2 13h12",
  webhooks: "M8 14V6M5 9l3-3 3 3M2 3h12",
  audit: "M4 2h8v12H4zM6 5h4M6 8h4M6 11h2",
  tokens: "M2 5h12v6H2zM5 8h.01M8 8h.01M11 8h.01",
  system: "M2 3h12v4H2zM2 9h12v4H2zM5 5h.01M5 11h.01",
  ok: "M3 8.5l3.2 3L13 4.5",
  bad: "M4 4l8 8M12 4l-8 8",
  warn: "M8 2.5L14.5 13.5h-13zM8 6.5v3.2M8 11.6v.2",
  run: "M8 2a6 6 0 1 1-6 6M8 5v3l2 2",
  wait: "M4 2h8M4 14h8M5 2c0 4 6 4 6 12M11 2c0 4-6 4-6 12",
  pause: "M5.5 3v10M10.5 3v10",
  off: "M3 8h10",
  info: "M8 2a6 6 0 1 0 0 12A6 6 0 1 0 8 2zM8 7.5v3.3M8 5v.2",
  menu: "M2 4h12M2 8h12M2 12h12",
  sun: "M8 5a3 3 0 1 0 0 6 3 3 0 0 0 0-6zM8 1v1.5M8 13.5V15M1 8h1.5M13.5 8H15M3 3l1 1M12 12l1 1M13 3l-1 1M4 12l-1 1",
  moon: "M13 9.5A5.5 5.5 0 0 1 6.5 3 5.5 5.5 0 1 0 13 9.5z",
  auto: "M8 2a6 6 0 1 0 0 12zM8 2a6 6 0 0 1 0 12",
  leave: "M6 2H2v12h4M7 8h7M11 5l3 3-3 3",
  copy: "M6 6h8v8H6zM10 6V2H2v8h4",
  search: "M7 2.5a4.5 4.5 0 1 1 0 9 4.5 4.5 0 0 1 0-9zM10.5 10.5l3.5 3.5",
  down: "M4 6l4 4 4-4",
  right: "M6 4l4 4-4 4",
  sort: "M5 6l3-3 3 3M5 10l3 3 3-3",
  up: "M4 10l4-4 4 4",
  plus: "M8 3v10M3 8h10",
  minus: "M3 8h10",
  erase: "M3 4.5h10M6.5 4.5V3h3v1.5M4.5 4.5l.5 9h6l.5-9M6.8 7v4M9.2 7v4",
  replay: "M3 8a5 5 0 1 1 1.5 3.5M3 12V8.5h3.5",
  filter: "M2 3h12L9.5 8.5V13l-3-1.5v-3z",
  external: "M6 3H3v10h10v-3M9 3h4v4M13 3L7 9",
};

/** `name`: one of the above. `label`: what is read in its place, where no word stands beside it. */
export function Icon({ name, label, size = 16 }) {
  return html`<svg class="icon" width=${size} height=${size} viewBox="0 0 16 16" role=${label ? "img" : undefined} aria-label=${label}
    aria-hidden=${label ? undefined : "true"} focusable="false"><path d=${PATHS[name] ?? PATHS.info} /></svg>`;
}
