// The filters of events: in the query of the page, as fields, and as chips that take them back.
import { html, useEffect, useRef, useState } from "../../preact.js";
import { useGet } from "../../api.js";
import { knows, t, time } from "../../i18n.js";
import { setQuery } from "../../router.js";
import { plain } from "../../text.js";
import { Icon, Input, Select } from "../../parts/index.js";

const STATUSES = ["running", "waiting", "pending", "dead", "cancelled", "succeeded", "unrouted"];
export const FAILURES = ["rejected", "retry", "rate-limited", "unauthorized", "conflict", "invalid-input", "invalid-output", "trap", "timeout", "interrupted",
  "expression", "diverged", "unavailable", "deadline"];
/** Milliseconds by what the query says. */
const LAST = { "15m": 900_000, "1h": 3_600_000, "24h": 86_400_000, "7d": 604_800_000 };
/** What the host takes as it stands. */
const PLAIN = ["status", "type", "source", "route", "plugin", "id", "subject", "order_key", "failure", "until", "q"];
const ALL = [...PLAIN, "since", "last"];
/** On a telephone all fields together would fill the screen before the first event. */
const narrow = matchMedia("(max-width: 40rem)");
/** Typing is over after so long. */
const TYPED = 350;

export const isFiltered = (query) => ALL.some((name) => query[name]);

/** The filters alone. */
export const filtersOf = (query) => Object.fromEntries(ALL.filter((name) => query[name]).map((name) => [name, query[name]]));

/** A time of the query; what is no time is passed on, so that the host says what is wrong with it. */
const instant = (text) => (text && !Number.isNaN(Date.parse(text)) ? new Date(text).toISOString() : text);

/** What `GET /v1/events` is asked. `last` moves on with the clock, in steps that a minute of looking does not notice. */
export function paramsOf(query, now = Date.now()) {
  const params = {};
  for (const name of PLAIN) if (query[name]) params[name] = query[name];
  params.until = instant(query.until);
  params.since = LAST[query.last] ? new Date(Math.floor((now - LAST[query.last]) / 60_000) * 60_000).toISOString() : instant(query.since);
  return params;
}

/** A field of text that takes effect when typing is over, by Enter at once. */
export function Typed({ name, value, onTyped, ...rest }) {
  const [text, setText] = useState(value ?? "");
  const timer = useRef(null);
  const sent = useRef(value ?? "");
  useEffect(() => {
    // It was changed elsewhere: by a chip, by going back.
    if ((value ?? "") !== sent.current) {
      sent.current = value ?? "";
      setText(sent.current);
    }
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const send = (next) => {
    clearTimeout(timer.current);
    sent.current = next.trim();
    onTyped(sent.current);
  };
  const input = (next) => {
    setText(next);
    clearTimeout(timer.current);
    timer.current = setTimeout(() => send(next), TYPED);
  };
  return html`<${Input} ...${rest} value=${text} onInput=${input} onKeyDown=${(event) => event.key === "Enter" && (event.preventDefault(), send(event.target.value))} />`;
}

const state = (name) => (knows(`common.state-${name}`) ? t(`common.state-${name}`) : name);
const set = (name) => (value) => setQuery({ [name]: value });

export function Filters({ query }) {
  const routes = useGet("/v1/routes").data?.routes ?? [];
  const plugins = useGet("/v1/plugins").data?.plugins ?? [];
  const types = [...new Set(routes.flatMap((route) => route.types ?? []))].filter((type) => !type.includes("*"));
  const rare = ["id", "subject", "order_key", "failure", "since", "until", "source"].some((name) => query[name]);
  const any = { value: "", label: t("events.any") };
  // A status or a name that is not among the choices, from a link, stays one.
  const choices = (names, value) => [any, ...names, ...(value && !names.some((one) => one.value === value) ? [{ value, label: plain(value) }] : [])];
  const named = (names, value) => choices(names.map((name) => ({ value: name, label: plain(name) })), value);
  const statuses = [{ value: "running,waiting,pending", label: t("events.unfinished") }, ...STATUSES.map((name) => ({ value: name, label: state(name) }))];
  const often = html`<${Typed} label=${t("events.f-type")} value=${query.type} onTyped=${set("type")} list="event-types" autocomplete="off" />
      <datalist id="event-types">${types.map((type) => html`<option key=${type} value=${plain(type)}></option>`)}</datalist>
      <${Select} label=${t("events.f-route")} value=${query.route} onChange=${set("route")} options=${named(routes.map((route) => route.name), query.route)} />
      <${Select} label=${t("events.f-plugin")} value=${query.plugin} onChange=${set("plugin")} options=${named(plugins.map((plugin) => plugin.name), query.plugin)} />
      <${Select} label=${t("events.f-last")} value=${query.last} onChange=${(value) => setQuery({ last: value, since: "" })}
        options=${choices(Object.keys(LAST).map((value) => ({ value, label: t(`events.last-${value}`) })), query.last)} />`;
  return html`<form class="card event-filters" role="search" aria-label=${t("events.filters")} onSubmit=${(event) => event.preventDefault()}>
    <div class="filters">
      <${Typed} label=${t("events.f-q")} type="search" placeholder=${t("events.f-q-hint")} value=${query.q} onTyped=${set("q")} />
      <${Select} label=${t("events.f-status")} value=${query.status} onChange=${set("status")} options=${choices(statuses, query.status)} />
      ${!narrow.matches && often}
    </div>
    <details open=${rare}>
      <summary>${t("events.more-filters")}</summary>
      <div class="filters">
        ${narrow.matches && often}
        <${Typed} label=${t("events.f-id")} value=${query.id} onTyped=${set("id")} />
        <${Typed} label=${t("events.f-source")} value=${query.source} onTyped=${set("source")} />
        <${Typed} label=${t("events.f-subject")} value=${query.subject} onTyped=${set("subject")} />
        <${Typed} label=${t("events.f-order_key")} value=${query.order_key} onTyped=${set("order_key")} />
        <${Select} label=${t("events.f-failure")} value=${query.failure} onChange=${set("failure")} options=${choices(FAILURES.map((name) => ({ value: name, label: state(name) })), query.failure)} />
        <${When} name="since" label=${t("events.f-since")} query=${query} /><${When} name="until" label=${t("events.f-until")} query=${query} />
      </div>
    </details>
    <${Chips} query=${query} />
  </form>`;
}

/** A time in the reader's zone. The query has it in UTC, so that the link says the same elsewhere. */
export function When({ name, label, query }) {
  const at = query[name] ? new Date(query[name]) : null;
  const local = at && !Number.isNaN(at.getTime()) ? new Date(at.getTime() - at.getTimezoneOffset() * 60_000).toISOString().slice(0, 19) : "";
  const change = (event) => setQuery({ [name]: event.target.value ? new Date(event.target.value).toISOString() : "", ...(name === "since" ? { last: "" } : {}) });
  return html`<${Input} label=${label} type="datetime-local" step="1" value=${local} onChange=${change} />`;
}

/** How a filter's value reads. */
function word(name, value) {
  if (name === "status") return value === "running,waiting,pending" ? t("events.unfinished") : value.split(",").map(state).join(", ");
  if (name === "failure") return state(value);
  if (name === "last" && LAST[value]) return t(`events.last-${value}`);
  if ((name === "since" || name === "until") && !Number.isNaN(Date.parse(value))) return time(value);
  return plain(value);
}

function Chips({ query }) {
  const set = ALL.filter((name) => query[name]);
  if (set.length === 0) return null;
  return html`<ul class="chips" aria-label=${t("events.chips")}>
    ${set.map((name) => html`<li key=${name}><button type="button" class="chip" onClick=${() => setQuery({ [name]: "" })} title=${t("events.chip-remove")}>
      <span class="faint">${t(`events.f-${name}`)}</span> <bdi>${word(name, query[name])}</bdi><${Icon} name="bad" size="12" /><span class="unseen">${t("events.chip-remove")}</span></button></li>`)}
    <li><button type="button" class="button quiet small" onClick=${() => setQuery(Object.fromEntries(ALL.map((name) => [name, ""])))}>${t("events.clear")}</button></li>
  </ul>`;
}
