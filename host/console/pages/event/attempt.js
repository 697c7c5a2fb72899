// An attempt of a step: what it did outside, and what the plugin logged.
import { html, useMemo } from "../../preact.js";
import { duration, t, time } from "../../i18n.js";
import { plain } from "../../text.js";
import { Copy, Status, Table, Text } from "../../parts/index.js";
import { ErrorBox } from "./error-box.js";

/** Key-value writes beyond so many are told by their number until one asks. */
const FEW = 3;

export function Attempt({ attempt, step, only = false }) {
  const effects = attempt.effects ?? [];
  const outside = effects.filter((effect) => effect.kind !== "key-value");
  const kept = effects.filter((effect) => effect.kind === "key-value");
  const of = plain(step);
  return html`<div class="attempt">
    ${only && html`<p class="faint small">${time(attempt.started_at)} · ${attempt.duration_ms === null || attempt.duration_ms === undefined ? t("events.under-way") : duration(attempt.duration_ms)}</p>`}
    ${!only && attempt.error && html`<${ErrorBox} error=${attempt.error} />`}
    ${outside.length > 0 && html`<${Effects} caption=${t("events.effects-of", { step: of, n: attempt.number })} effects=${outside} />`}
    ${kept.length > 0 && html`<details class="kept" open=${kept.length <= FEW}><summary>${t("events.kept", { n: kept.length })}</summary><${KeyValues} caption=${t("events.kept-of", { step: of, n: attempt.number })} effects=${kept} /></details>`}
    ${outside.length + kept.length === 0 && html`<p class="faint">${t("events.no-effects")}</p>`}
    <${Logs} logs=${attempt.logs ?? []} step=${of} />
    ${attempt.digest && html`<p class="faint small">${t("events.component")} <code title=${plain(attempt.digest)}>${plain(attempt.digest).slice(0, 19)}</code></p>`}
  </div>`;
}

/** Whether it is not known if the write was done. */
const isDoubtful = (effect) => effect.state === "in-doubt" || (effect.state === "intent" && !effect.dropped);

/** How an effect stands, as a state that `Status` knows. */
const stateOf = (effect) => (effect.replayed ? "replayed" : effect.dropped ? "skipped" : isDoubtful(effect) ? "doubt" : effect.state);

function notes(effect) {
  const said = [];
  if (effect.replayed) said.push(effect.key ? t("events.note-replayed") : t("events.note-recorded"));
  if (effect.batch) said.push(t(effect.kind === "batch" ? "events.note-batch" : "events.note-shared", { n: effect.batch.runs }));
  if (effect.unrepeated) said.push(t("events.note-unrepeated"));
  if (effect.dropped) said.push(t("events.note-dropped"));
  if (effect.body_digest) said.push(t("events.note-digest"));
  if (effect.decided) said.push(t("events.note-decided", { outcome: plain(effect.decided) }));
  else if (isDoubtful(effect)) said.push(t("events.note-doubt"));
  return said;
}

function Address({ url }) {
  let parsed = null;
  try {
    parsed = new URL(url);
  } catch {
    return html`<code><${Text} value=${url} /></code>`;
  }
  // Host and path say what it is; the query is long and stands there for those who look.
  return html`<code class="address" title=${plain(url)}><span class="faint">${plain(parsed.host)}</span>${plain(decoded(parsed.pathname))}${parsed.search && html`<span class="faint address-query">${plain(decoded(parsed.search))}</span>`}</code>`;
}

/** For reading; as it was sent it stands in the title. */
function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function Effects({ effects, caption }) {
  const columns = useMemo(() => [
    { key: "what", title: t("events.e-what"), render: (effect) => html`<span class="effect-what">${effect.kind === "batch" ? html`<strong>${t("events.e-batch")}</strong>` : html`<strong>${plain(effect.method)}</strong> <${Address} url=${effect.url} />`}
      ${effect.name && effect.kind !== "batch" && html`<span class="effect-name">“<${Text} value=${effect.name} />”</span>`}
      ${effect.error && html`<span class="effect-error"><${Text} value=${effect.error} lines /></span>`}
      ${notes(effect).map((note) => html`<span class="effect-note" key=${note}>${note}</span>`)}</span>` },
    { key: "state", title: t("events.e-state"), render: (effect) => html`<${Status} state=${stateOf(effect)} label=${t(`events.e-state-${stateOf(effect)}`)} />` },
    { key: "status", title: t("events.e-status"), align: "end", render: (effect) => effect.status ?? "–" },
    { key: "key", title: t("events.e-key"), narrow: false, render: (effect) => (effect.key ? html`<span class="nowrap"><code title=${plain(effect.key)}>${plain(effect.key).slice(0, 8)}…</code><${Copy} text=${effect.key} label=${t("events.copy-key")} /></span>` : html`<span class="faint">${t("events.e-read")}</span>`) },
    { key: "took", title: t("events.e-took"), align: "end", render: (effect) => html`<span class="nowrap">${duration(effect.duration_ms)}</span>` },
  ], []);
  return html`<${Table} cards="narrow" caption=${caption} columns=${columns} rows=${effects} rowKey=${(effect) => effect.seq} rowTone=${(effect) => (stateOf(effect) === "failed" ? "bad" : undefined)} />`;
}

export function KeyValues({ effects, caption }) {
  const columns = useMemo(() => [
    { key: "what", title: t("events.e-what"), render: (effect) => html`<span class="effect-what"><strong>${plain(effect.method)}</strong> <code><${Text} value=${effect.name} /></code>
      ${effect.error && html`<span class="effect-note"><${Text} value=${effect.error} /></span>`}${notes(effect).map((note) => html`<span class="effect-note" key=${note}>${note}</span>`)}</span>` },
    { key: "state", title: t("events.e-state"), render: (effect) => html`<${Status} state=${stateOf(effect)} label=${t(`events.e-state-${stateOf(effect)}`)} />` },
  ], []);
  return html`<${Table} cards="narrow" caption=${caption} columns=${columns} rows=${effects} rowKey=${(effect) => effect.seq} />`;
}

const TONES = { error: "bad", warn: "warn", info: "info", debug: "off", trace: "off" };

export function Logs({ logs, step }) {
  if (logs.length === 0) return null;
  return html`<div><h4 class="logs-title">${t("events.logs")}</h4><ul class="logs" aria-label=${t("events.logs-of", { step })}>${logs.map((log, index) => html`<li key=${index} data-tone=${TONES[log.level] ?? "off"}>
    <span class="log-level">${plain(log.level)}</span> <span class="log-text"><${Text} value=${log.message} lines />
    ${Object.entries(log.fields ?? {}).map(([name, value]) => html`<span class="log-field" key=${name}><span class="faint">${plain(name)}=</span><${Text} value=${typeof value === "string" ? value : JSON.stringify(value)} /></span>`)}</span></li>`)}</ul></div>`;
}
