// Why a step failed, in its own words: read from the event, where personal data are hidden from who may not see them.
import { html, useEffect, useState } from "../preact.js";
import { get } from "../api.js";
import { Text } from "./text.js";

/** Most events that are remembered. */
const MOST = 50;
const known = new Map();

/** The reason in an event's document: of the step in that run, else of the run, else of the event. */
export function reasonOf(document, run, step) {
  const found = document.runs?.find((one) => one.id === run) ?? document.runs?.at(-1);
  const failed = found?.steps?.find((one) => one.name === step) ?? found?.steps?.find((one) => one.error);
  const attempt = failed?.attempts?.findLast((one) => one.error);
  return failed?.error?.reason ?? attempt?.error?.reason ?? found?.status_reason ?? document.status_reason ?? null;
}

/** Of an attempt that failed: `eid`, `run`, `step`. */
export function Reason({ eid, run, step }) {
  const key = `${eid}/${run}/${step}`;
  const [reason, set] = useState(known.get(key) ?? null);
  useEffect(() => {
    if (known.has(key)) {
      set(known.get(key));
      return;
    }
    let left = false;
    get(`/v1/events/${encodeURIComponent(eid)}`)
      .then((document) => {
        const text = reasonOf(document, run, step);
        if (known.size >= MOST) known.delete(known.keys().next().value);
        if (text) known.set(key, text);
        if (!left) set(text);
      })
      .catch(() => null);
    return () => {
      left = true;
    };
  }, [key]);
  return reason && html`<p class="reason"><${Text} value=${reason} lines /></p>`;
}
