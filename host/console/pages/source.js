// One source: how it does, where it has come to, what it has set aside; paused, resumed, and sent back to read an earlier time.
import { html, useState } from "../preact.js";
import { post, useGet, useList } from "../api.js";
import { bytes, duration, list, number, percent, t, time } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { ask, Button, Copy, Dialog, Icon, Input, JsonView, LoadMore, Loading, Page, Problem, Progress, RelativeTime, Section, Status, Text, toast } from "../parts/index.js";
import { Facts, Names } from "../parts/facts.js";
import { counts, last, refused, SourceState } from "./sources.js";

export default function Source({ name }) {
  const path = `/v1/sources/${encodeURIComponent(name)}`;
  const source = useGet(path);
  const aside = useList(`${path}/set-aside`, "set_aside");
  const both = () => Promise.all([source.reload(), aside.reload()]);
  useRefresh(["source.changed", "event.accepted", "revision.applied"], source.reload, 2_000);
  useRefresh(["source.changed"], aside.refresh, 2_000);
  const { data, problem } = source;
  return html`<${Page} title=${plain(name)} crumbs=${[{ href: "/sources", title: t("common.page-sources") }]} lead=${data && t(`sources.lead-${data.type}`)}
    actions=${data && html`<${Orders} of=${data} path=${path} reload=${source.reload} />`}>
    ${problem && html`<${Problem} problem=${problem} retry=${source.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && html`<${Trouble} of=${data} />
      <div class="columns"><${State} of=${data} />${data.webhook ? html`<${Deliveries} of=${data} />` : html`<${Brought} of=${data} />`}</div>
      ${data.type === "poll" && html`<${Backfill} of=${data} path=${path} reload=${source.reload} />`}
      <${SetAside} rows=${aside} path=${path} reload=${both} />`}
  <//>`;
}

/** Whether it has turns, which people can stop. */
const hasTurns = (of) => of.type === "poll" || of.type === "schedule";

function Orders({ of, path, reload }) {
  const [reason, setReason] = useState("");
  const [asking, setAsking] = useState(false);
  if (!hasTurns(of)) return null;
  const resume = async () => {
    await post(`${path}/resume`);
    toast(t("sources.resumed"));
    await reload();
  };
  const pause = async () => {
    await post(`${path}/pause`, reason.trim() ? { reason: reason.trim() } : {});
    setAsking(false);
    toast(t("sources.paused"));
    await reload();
  };
  if (of.state === "paused") return html`<${Button} kind="primary" icon="run" needs="operate" onClick=${resume}>${t("sources.resume")}<//>`;
  return html`<${Button} icon="pause" needs="operate" onClick=${() => setAsking(true)}>${t("sources.pause")}<//>
    <${Dialog} open=${asking} title=${t("sources.pause-title", { name: plain(of.name) })} onClose=${() => setAsking(false)}
      actions=${html`<${Button} onClick=${() => setAsking(false)}>${t("common.cancel")}<//><${Button} kind="primary" onClick=${pause}>${t("sources.pause")}<//>`}>
      <p>${t(`sources.pause-${of.type}`)}</p><${Input} label=${t("sources.why")} hint=${t("sources.why-hint")} value=${reason} onInput=${setReason} maxlength="500" /><//>`;
}

function Trouble({ of }) {
  const failure = of.last_failure;
  if (of.state === "paused") return html`<div class="notice" data-tone="warn"><strong>${t("sources.is-paused")}</strong> ${of.reason && html`<${Text} value=${of.reason} />`}</div>`;
  if (of.state === "stopped" || of.failures > 0) {
    return html`<div class="notice" data-tone="bad"><p class="row"><strong>${t(of.state === "stopped" ? "sources.is-stopped" : "sources.fails")}</strong>
      ${failure?.kind && html`<${Status} state=${failure.kind} />`}${failure?.at && html`<${RelativeTime} at=${failure.at} />`}</p>
      <p><${Text} value=${of.reason ?? failure?.reason ?? ""} lines /></p></div>`;
  }
  return of.reason ? html`<div class="notice" data-tone="warn"><${Text} value=${of.reason} lines /></div>` : null;
}

function State({ of }) {
  const { webhook } = of;
  const url = webhook && (webhook.url ?? `${location.origin}${webhook.path}`);
  return html`<${Section} title=${t("sources.how")}><${Facts} facts=${[
    [t("sources.state"), html`<${SourceState} of=${of} />`],
    [t("sources.type"), t(`sources.type-${of.type}`)],
    [t("sources.address"), url && html`<span class="row"><code class="digest">${plain(url)}</code><${Copy} text=${url} label=${t("common.copy-what", { what: t("sources.address") })} /></span>
      ${!webhook.url && html`<span class="faint small">${t("sources.no-public-url")}</span>`}`],
    [t("sources.verify"), webhook && html`<code>${plain(webhook.verify ?? "–")}</code>`],
    [t("sources.handshake"), webhook?.handshake && html`<code>${plain(webhook.handshake)}</code>`],
    [t("sources.methods"), webhook && html`<${Names} values=${webhook.methods} />`],
    [t("sources.max-size"), webhook && bytes(webhook.max_size)],
    [t("sources.unreadable"), webhook && t(`sources.unreadable-${webhook.on_unreadable}`)],
    [t("sources.as-source"), html`<code>${plain(of.source)}</code>`],
    [t("sources.as-type"), of.event_type && html`<code>${plain(of.event_type)}</code>`],
    [t("sources.plugin"), of.uses && html`<a href=${`/plugins/${encodeURIComponent(of.uses)}`}>${plain(of.uses)}</a>${of.stream && html` · <code>${plain(of.stream)}</code>`}`],
    [t("sources.nats-stream"), !of.uses && of.stream && html`<code>${plain(of.stream)}</code>${of.consumer && html` · <code>${plain(of.consumer)}</code>`}`],
    [t("sources.servers"), of.servers?.length > 0 && html`<${Names} values=${of.servers} />`],
    [t("sources.asked"), of.every_ms && t("sources.every", { time: duration(of.every_ms) })],
    [t("sources.cron"), of.cron && html`<code>${plain(of.cron)}</code> ${plain(of.time_zone ?? "")}`],
    [t("sources.upcoming"), of.upcoming?.length > 0 && html`<ul class="plain-list">${of.upcoming.map((at) => html`<li key=${at}><${RelativeTime} at=${at} full /></li>`)}</ul>`],
    [t("sources.next"), of.next_at && html`<${RelativeTime} at=${of.next_at} />`],
    [t("sources.on-host"), of.host && html`<code>${plain(of.host)}</code>`],
  ]} /><//>`;
}

function Brought({ of }) {
  const { events, duplicates } = counts(of);
  return html`<${Section} title=${t("sources.brought")}><${Facts} facts=${[
    [t("sources.events"), events !== null && number(events)],
    [t("sources.duplicates"), duplicates !== null && number(duplicates)],
    [t("sources.turns"), of.turns !== undefined && number(of.turns)],
    [t("sources.last"), html`<${RelativeTime} at=${last(of)} full />`],
    [t("sources.reached"), of.reached_at && html`<${RelativeTime} at=${of.reached_at} full />`],
    [t("sources.lag"), of.pending !== undefined && of.pending !== null && t("sources.pending", { n: of.pending })],
    [t("sources.redelivered"), of.redelivered > 0 && number(of.redelivered)],
    [t("sources.cursor"), of.cursor && html`<code class="digest">${plain(of.cursor)}</code>`],
  ]} />
  ${of.last && html`<details><summary>${t("sources.last-turn")}</summary><${JsonView} value=${of.last} label=${t("sources.last-turn")} /></details>`}<//>`;
}

function Deliveries({ of }) {
  const { counts: tally = {} } = of;
  const reasons = Object.entries(tally.refused ?? {});
  return html`<${Section} title=${t("sources.deliveries")}>
    <p class="faint small">${t("sources.this-host")}</p>
    <${Facts} facts=${[
      [t("sources.delivered"), number(tally.deliveries)], [t("sources.events"), number(tally.events)], [t("sources.duplicates"), number(tally.duplicates)],
      [t("sources.last-delivery"), html`<${RelativeTime} at=${tally.last_delivery_at} full />`],
      [t("sources.refused"), html`${number(refused(of))} ${reasons.length > 0 && html`<span class="small">(${list(reasons.map(([reason, n]) => `${plain(reason)}: ${number(n)}`))})</span>`}`],
      [t("sources.last-refused"), tally.last_refused_at && html`<${RelativeTime} at=${tally.last_refused_at} full />`],
    ]} />
    ${refused(of) > 0 && html`<p class="small"><${Icon} name="info" size="12" /> ${t("sources.refused-how")}</p>`}
  <//>`;
}

function Backfill({ of, path, reload }) {
  const [from, setFrom] = useState("");
  const [to, setTo] = useState("");
  const [problem, setProblem] = useState(null);
  const now = of.backfill;
  const underWay = now && !now.finished_at && !["done", "cancelled"].includes(now.state);
  const begin = async () => {
    try {
      await post(`${path}/backfill`, { from, ...(to ? { to } : {}) });
      setProblem(null);
      toast(t("sources.backfill-begun"));
      await reload();
    } catch (found) {
      setProblem(found);
    }
  };
  const cancel = () => ask({ title: t("sources.backfill-cancel-title"), text: t("sources.backfill-cancel-text"), confirm: t("sources.backfill-cancel"), act: () => post(`${path}/backfill/cancel`) }).then((done) => done && reload());
  return html`<${Section} title=${t("sources.backfill")}>
    <p class="small">${t("sources.backfill-lead")}</p>
    ${now && html`<div class="stack tight"><p class="row"><${Status} state=${now.state === "active" ? "running" : now.state} /> ${t("sources.backfill-span", { from: time(now.from), to: time(now.to) })}</p>
      ${underWay && html`<${Progress} label=${t("sources.backfill-progress", { share: now.progress === null || now.progress === undefined ? "–" : percent(now.progress) })} value=${Math.round((now.progress ?? 0) * 1000)} max=${now.progress === null || now.progress === undefined ? undefined : 1000} />`}
      <${Facts} facts=${[[t("sources.events"), number(now.events)], [t("sources.duplicates"), number(now.duplicates)], [t("sources.set-aside"), number(now.set_aside)], [t("sources.reached"), now.reached_at && time(now.reached_at)],
        [t("sources.problem"), now.last_failure && html`<${Text} value=${now.last_failure.reason ?? ""} lines />`]]} />
      ${underWay && html`<div><${Button} needs="operate" onClick=${cancel}>${t("sources.backfill-cancel")}<//></div>`}</div>`}
    ${!underWay && html`<form class="filters" onSubmit=${(event) => event.preventDefault()}>
      <${Input} label=${t("sources.from")} type="date" value=${from} onInput=${setFrom} required />
      <${Input} label=${t("sources.to")} type="date" value=${to} onInput=${setTo} />
      <${Button} icon="replay" needs="operate" why=${from ? undefined : t("sources.from-missing")} onClick=${begin}>${t("sources.backfill-begin")}<//></form>`}
    ${problem && html`<${Problem} problem=${problem} />`}
  <//>`;
}

function SetAside({ rows, path, reload }) {
  const retry = async (id) => {
    const done = await post(`${path}/retry`, id ? { id } : {});
    toast(t("sources.retried", { accepted: done.accepted, left: done.still_set_aside, again: done.to_be_read_again }), { kind: done.still_set_aside > 0 ? "info" : "ok" });
    await reload();
  };
  const discard = (id) => ask({ title: t(id ? "sources.discard-title" : "sources.discard-all-title"), text: t("sources.discard-text"), confirm: t("sources.discard"), danger: true,
    act: () => post(`${path}/discard`, id ? { id } : {}) }).then((done) => done && reload());
  const { items, problem } = rows;
  return html`<div id="set-aside"><${Section} title=${t("sources.set-aside")} actions=${items.length > 0 && html`<${Button} small icon="replay" needs="operate" onClick=${() => retry(null)}>${t("sources.retry-all")}<//>
      <${Button} small needs="operate" onClick=${() => discard(null)}>${t("sources.discard-all")}<//>`}>
    <p class="small">${t("sources.set-aside-lead")}</p>
    ${problem && html`<${Problem} problem=${problem} retry=${rows.reload} />`}
    ${items.length === 0 && !problem && !rows.loading && html`<p class="calm"><${Icon} name="ok" /> ${t("sources.nothing-aside")}</p>`}
    <ul class="plain-list">${items.map((row) => html`<li key=${row.id} class="ill"><div class="row spread"><span class="row"><strong>${t(`sources.kind-${row.kind}`)}</strong>
        <span class="small"><${RelativeTime} at=${row.last_at} /></span>${row.times > 1 && html`<span class="small">${t("sources.times", { n: row.times })}</span>`}
        <span class="faint small">${bytes(row.size)}</span>${row.retry && html`<${Status} state="retry" label=${t("sources.read-again")} />`}</span>
      <span class="row"><${Button} small icon="replay" needs="operate" onClick=${() => retry(row.id)}>${t("sources.retry")}<//><${Button} small needs="operate" onClick=${() => discard(row.id)}>${t("sources.discard")}<//></span></div>
      <p><${Text} value=${row.reason} lines /></p>
      <details><summary>${t("sources.look")}</summary>${typeof row.data === "string" || row.data_base64 ? html`<pre tabindex="0"><${Text} value=${row.data ?? row.data_base64} lines /></pre>` : html`<${JsonView} value=${row.data} label=${t("sources.look")} />`}</details></li>`)}</ul>
    ${items.length > 0 && html`<${LoadMore} list=${rows} />`}
  <//></div>`;
}
