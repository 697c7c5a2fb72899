// A state, by colour, icon and word.
import { html } from "../preact.js";
import { knows, t } from "../i18n.js";
import { plain } from "../text.js";
import { Icon } from "./icon.js";

/** What a state means: its tone and icon. What is not here is shown as it is called. */
const TONES = {
  // Runs, steps, attempts.
  succeeded: ["ok", "ok"], dead: ["bad", "bad"], failed: ["bad", "bad"], "undo-failed": ["bad", "bad"], running: ["info", "run"], undoing: ["info", "replay"],
  waiting: ["wait", "wait"], pending: ["wait", "wait"], cancelled: ["off", "off"], skipped: ["off", "off"], unrouted: ["off", "off"], undone: ["warn", "replay"],
  held: ["warn", "pause"], doubt: ["warn", "warn"], replayed: ["off", "replay"],
  // What an attempt or a run failed of.
  retry: ["warn", "replay"], "rate-limited": ["warn", "wait"], unauthorized: ["bad", "warn"], rejected: ["bad", "bad"], trap: ["bad", "bad"], timeout: ["warn", "wait"],
  interrupted: ["warn", "warn"], conflict: ["warn", "warn"], busy: ["warn", "wait"], "invalid-input": ["bad", "bad"], "invalid-output": ["bad", "bad"],
  expression: ["bad", "bad"], diverged: ["bad", "warn"], unavailable: ["bad", "bad"], deadline: ["bad", "wait"],
  // Credentials.
  ok: ["ok", "ok"], refreshing: ["info", "run"], "cooling-down": ["warn", "wait"], broken: ["bad", "bad"], "not-connected": ["bad", "warn"], unused: ["off", "off"],
  // Sources, subscribers, tokens.
  active: ["ok", "ok"], paused: ["off", "pause"], failing: ["warn", "warn"], enabled: ["ok", "ok"], disabled: ["bad", "off"], revoked: ["off", "off"],
  expired: ["warn", "warn"], expiring: ["warn", "warn"], done: ["ok", "ok"],
  // Circuit breakers, canaries, hosts.
  closed: ["ok", "ok"], open: ["bad", "warn"], "half-open": ["warn", "warn"], "on-trial": ["info", "run"], "rolled-back": ["bad", "replay"],
  alive: ["ok", "ok"], gone: ["bad", "bad"],
  // The stream.
  live: ["ok", "ok"], connecting: ["info", "run"], polling: ["warn", "wait"],
};

/** `state`: a state of the API. `label`: other words than those of `common.state-…`. `tone`: `ok bad warn info wait off`, where the state's own won't do. */
export function Status({ state, label, tone, title }) {
  const [known, icon] = TONES[state] ?? ["off", "info"];
  const key = `common.state-${state}`;
  const word = label ?? (knows(key) ? t(key) : plain(state ?? "–"));
  return html`<span class="status" data-tone=${tone ?? known} title=${title}><${Icon} name=${icon} size="12" /><span>${word}</span></span>`;
}
