// Tokens and sessions: who and what may ask this host, made, seen and revoked. A token's text is shown once.
import { html, useState } from "../preact.js";
import { post, useGet, useList } from "../api.js";
import { t } from "../i18n.js";
import { plain } from "../text.js";
import { ask, Button, Checkbox, Copy, Dialog, Empty, Input, LoadMore, Loading, Page, Problem, RelativeTime, Section, Select, Status, Table, toast } from "../parts/index.js";

const ROLES = ["viewer", "operator", "sender", "admin"];
const EXPIRIES = ["1d", "30d", "90d", "365d", "never"];

export default function Tokens() {
  const tokens = useList("/v1/tokens", "tokens");
  const sessions = useGet("/v1/sessions");
  const [making, setMaking] = useState(false);
  return html`<${Page} title=${t("common.page-tokens")} lead=${t("tokens.lead")}
    actions=${html`<${Button} kind="primary" icon="plus" needs="administer" onClick=${() => setMaking(true)}>${t("tokens.make")}<//>`}>
    <${Make} open=${making} onClose=${() => setMaking(false)} onMade=${tokens.reload} />
    <${Section} title=${t("tokens.tokens")} plainly hideTitle>
      ${tokens.problem && html`<${Problem} problem=${tokens.problem} retry=${tokens.reload} />`}
      ${!tokens.first && !tokens.problem && html`<${Loading} />`}
      ${tokens.first && html`<${Table} cards="narrow" caption=${t("tokens.tokens")} columns=${columns(tokens.reload)} rows=${tokens.items} rowKey=${(row) => row.id}
        empty=${html`<${Empty} title=${t("tokens.none")} icon="tokens"><p>${t("tokens.none-how")}</p><//>`} />
        ${tokens.more && html`<${LoadMore} list=${tokens} />`}`}
    <//>
    <${Sessions} sessions=${sessions} />
  <//>`;
}

function columns(reload) {
  const revoke = (row) => ask({ title: t("tokens.revoke-title", { name: plain(row.name) }), text: t(row.own ? "tokens.revoke-own" : "tokens.revoke-text"), confirm: t("tokens.revoke"), danger: true,
    act: () => post(`/v1/tokens/${encodeURIComponent(row.id)}/revoke`) }).then((done) => {
    if (!done) return;
    toast(t("tokens.revoked", { name: plain(row.name) }));
    reload();
  });
  return [
    { key: "name", title: t("tokens.name"), sort: (row) => row.name, render: (row) => html`<strong>${plain(row.name)}</strong>${row.own && html` <span class="small">${t("tokens.own")}</span>`}<div><code class="faint">${plain(row.id)}</code></div>` },
    { key: "role", title: t("tokens.role"), sort: (row) => row.role, render: (row) => html`${t(`common.role-${row.role}`)}${row.personal && row.role !== "admin" && html`<div class="small faint">${t("tokens.sees-personal")}</div>`}
      ${row.sources?.length > 0 && html`<div class="small faint">${row.sources.map((one) => html`<code key=${one}>${plain(one)}</code> `)}</div>`}` },
    { key: "state", title: t("tokens.state"), sort: (row) => row.state, render: (row) => html`<${Status} state=${row.state} />` },
    { key: "used", title: t("tokens.used"), sort: (row) => row.last_used_at, render: (row) => (row.last_used_at ? html`<${RelativeTime} at=${row.last_used_at} />` : html`<span class="faint">${t("tokens.never")}</span>`) },
    { key: "expires", title: t("tokens.expires"), sort: (row) => row.expires_at, render: (row) => (row.expires_at ? html`<${RelativeTime} at=${row.expires_at} />` : t("tokens.never")) },
    { key: "created", title: t("tokens.created"), narrow: false, sort: (row) => row.created_at, render: (row) => html`<${RelativeTime} at=${row.created_at} />` },
    { key: "revoke", title: t("tokens.revoke"), render: (row) => (row.state === "revoked" ? html`<${RelativeTime} at=${row.revoked_at} />`
      : html`<${Button} small needs="administer" label=${t("tokens.revoke-what", { name: plain(row.name) })} onClick=${() => revoke(row)}>${t("tokens.revoke")}<//>`) },
  ];
}

function Make({ open, onClose, onMade }) {
  const begun = { name: "", role: "viewer", personal: false, sources: "", expires: "90d" };
  const [form, setForm] = useState(begun);
  const [state, set] = useState({ made: null, problem: null });
  const change = (name) => (value) => setForm((old) => ({ ...old, [name]: value }));
  const close = () => {
    setForm(begun);
    set({ made: null, problem: null });
    onClose();
  };
  const make = async () => {
    if (!form.name.trim()) return set({ made: null, problem: { detail: t("tokens.name-missing") } });
    const sources = form.sources.split(/[\s,]+/).filter(Boolean);
    const order = { name: form.name.trim(), role: form.role, expires: form.expires, ...(form.personal ? { personal: true } : {}), ...(form.role === "sender" && sources.length > 0 ? { sources } : {}) };
    try {
      set({ made: await post("/v1/tokens", order), problem: null });
      onMade();
    } catch (problem) {
      set({ made: null, problem });
    }
  };
  const { made, problem } = state;
  const submit = (event) => {
    event.preventDefault();
    return make();
  };
  return html`<${Dialog} open=${open} title=${t("tokens.make")} onClose=${close} actions=${made ? html`<${Button} kind="primary" onClick=${close}>${t("tokens.have-it")}<//>`
    : html`<${Button} onClick=${close}>${t("common.cancel")}<//><${Button} kind="primary" needs="administer" onClick=${make}>${t("tokens.make")}<//>`}>
    ${made ? html`<div class="secret-once" role="status"><p><strong>${t("tokens.once")}</strong></p>
        <p class="row"><code data-secret="token">${made.token}</code><${Copy} text=${made.token} label=${t("tokens.copy")}>${t("tokens.copy")}<//></p>
        <p class="small">${t("tokens.once-how")}</p></div>`
      : html`<form class="stack" onSubmit=${submit}>
        <${Input} label=${t("tokens.name")} hint=${t("tokens.name-hint")} value=${form.name} onInput=${change("name")} maxlength="100" />
        <${Select} label=${t("tokens.role")} hint=${t(`tokens.may-${form.role}`)} value=${form.role} onChange=${change("role")} options=${ROLES.map((value) => ({ value, label: t(`common.role-${value}`) }))} />
        ${form.role === "sender" && html`<${Input} label=${t("tokens.sources")} hint=${t("tokens.sources-hint")} value=${form.sources} onInput=${change("sources")} />`}
        ${["viewer", "operator"].includes(form.role) && html`<${Checkbox} label=${t("tokens.personal")} hint=${t("tokens.personal-hint")} checked=${form.personal} onChange=${change("personal")} />`}
        <${Select} label=${t("tokens.expires")} value=${form.expires} onChange=${change("expires")} options=${EXPIRIES.map((value) => ({ value, label: t(`tokens.expires-${value}`) }))} />
        <button type="submit" class="unseen" tabindex="-1" aria-hidden="true"></button></form>`}
    ${problem && html`<${Problem} problem=${problem} />`}
  <//>`;
}

function Sessions({ sessions }) {
  const { data, problem, reload } = sessions;
  const end = (row) => ask({ title: t("tokens.end-title", { name: plain(row.name) }), text: t(row.own ? "tokens.end-own" : "tokens.end-text"), confirm: t("tokens.end"), danger: true,
    act: () => post(`/v1/sessions/${encodeURIComponent(row.id)}/revoke`) }).then((done) => done && reload());
  return html`<${Section} title=${t("tokens.sessions")}>
    <p class="small">${t("tokens.sessions-lead")}</p>
    ${problem && html`<${Problem} problem=${problem} retry=${reload} />`}
    ${data && html`<${Table} cards="narrow" caption=${t("tokens.sessions")} rows=${data.sessions} empty=${html`<p class="faint">${t("tokens.nobody")}</p>`} columns=${[
      { key: "name", title: t("tokens.who"), render: (row) => html`<strong>${plain(row.name)}</strong>${row.own && html` <span class="small">${t("tokens.own-session")}</span>`}<div class="faint small">${plain(row.issuer)}</div>` },
      { key: "role", title: t("tokens.role"), render: (row) => t(`common.role-${row.role}`) },
      { key: "seen", title: t("tokens.seen"), render: (row) => html`<${RelativeTime} at=${row.seen_at} />` },
      { key: "expires", title: t("tokens.expires"), render: (row) => html`<${RelativeTime} at=${row.expires_at} />` },
      { key: "end", title: t("tokens.end"), render: (row) => html`<${Button} small needs="administer" label=${t("tokens.end-what", { name: plain(row.name) })} onClick=${() => end(row)}>${t("tokens.end")}<//>` },
    ]} />`}
  <//>`;
}
