// Credentials: whether each works, until when, who uses it; what to do about one that does not; connecting one by a person's consent.
import { html, useEffect, useState } from "../preact.js";
import { ApiProblem, get, post, useGet } from "../api.js";
import { number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Button, Dialog, Empty, Icon, Loading, Page, Problem, RelativeTime, Section, Status, Table, Text } from "../parts/index.js";
import { Facts, Names } from "../parts/facts.js";

/** States that somebody must do something about, or watch. */
const ILL = ["broken", "not-connected", "cooling-down"];
/** How often it is asked whether a person has agreed. */
const ASKS = 2_000;
const LOOPBACK = ["127.0.0.1", "localhost", "[::1]"];

const needsConsent = (one) => one.connectable ?? one.type === "oauth2-authorization-code";

export default function Credentials({ query }) {
  const credentials = useGet("/v1/credentials");
  const [connecting, setConnecting] = useState(null);
  useRefresh(["credential.changed", "revision.applied"], credentials.reload, 1_000);
  const { data, problem } = credentials;
  const all = data?.credentials ?? [];
  const ill = all.filter((one) => ILL.includes(one.state));
  return html`<${Page} title=${t("common.page-credentials")} lead=${t("credentials.lead")}>
    ${problem && html`<${Problem} problem=${problem} retry=${credentials.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${ill.length > 0 && html`<${Section} title=${t("credentials.needs-you")}><ul class="plain-list">${ill.map((one) =>
      html`<${Ill} key=${one.name} one=${one} connect=${setConnecting} />`)}</ul><//>`}
    ${data && html`<${Section} title=${t("credentials.all")} plainly>
      <${Table} cards="wide" caption=${t("common.page-credentials")} columns=${columns(setConnecting)} rows=${all} rowKey=${(row) => row.name} selected=${query.name}
        empty=${html`<${Empty} title=${t("credentials.none")} icon="credentials"><p>${t("credentials.none-how")}</p><//>`} /><//>
      <p class="faint small">${t("credentials.since-start")}</p>`}
    <${Connect} one=${connecting} onClose=${() => setConnecting(null)} onConnected=${credentials.reload} />
  <//>`;
}

function ConnectButton({ one, connect, primary = false }) {
  const again = one.state !== "not-connected";
  return html`<${Button} small kind=${primary ? "primary" : ""} icon="external" needs="administer" onClick=${() => connect(one)}
    label=${t(again ? "credentials.connect-again-what" : "credentials.connect-what", { name: plain(one.name) })}>${again ? t("credentials.connect-again") : t("credentials.connect")}<//>`;
}

function Ill({ one, connect }) {
  const what = one.state === "broken" && !needsConsent(one) ? "secret" : one.state;
  return html`<li class="ill"><div class="row"><strong>${plain(one.name)}</strong><${Status} state=${one.state} />
      ${one.broken_at && html`<span class="small">${t("credentials.since")} <${RelativeTime} at=${one.broken_at} /></span>`}</div>
    ${one.met_by === "store" && html`<p class="small">${t("credentials.met-elsewhere")}</p>`}
    ${one.last_error && html`<p><${Text} value=${one.last_error} lines /></p>`}
    <p class="small"><${Icon} name="info" size="12" /> ${t(`credentials.do-${what}`)}
      ${one.retry_at && html` ${t("credentials.tried-again")} <${RelativeTime} at=${one.retry_at} />.`}</p>
    ${what === "secret" && html`<p><code>sangam secret set NAME</code></p>`}
    ${needsConsent(one) && html`<div><${ConnectButton} one=${one} connect=${connect} primary /></div>`}
  </li>`;
}

function columns(connect) {
  return [
    { key: "name", title: t("credentials.name"), sort: (row) => row.name, render: (row) => html`<strong>${plain(row.name)}</strong><div class="faint small">${plain(row.type)}</div>` },
    { key: "state", title: t("credentials.state"), sort: (row) => row.state, render: (row) => html`<${Status} state=${row.state} />` },
    { key: "expires", title: t("credentials.expires"), sort: (row) => row.expires_at, render: (row) => html`<${RelativeTime} at=${row.expires_at} />` },
    { key: "works", title: t("credentials.works"), sort: (row) => row.works_at, render: (row) => html`<${RelativeTime} at=${row.works_at} />` },
    { key: "refreshes", title: t("credentials.refreshes"), align: "end", narrow: false, render: (row) => html`${number(row.refreshes)}${row.failures > 0 &&
      html`<div class="bad-number nowrap">${t("credentials.failed", { n: row.failures })}</div>`}` },
    { key: "plugins", title: t("common.page-plugins"), render: (row) => html`<${Names} values=${row.plugins} href=${(name) => `/plugins/${encodeURIComponent(name)}`} />` },
    { key: "hosts", title: t("credentials.hosts"), narrow: false, render: (row) => html`<${Names} values=${row.hosts} />` },
    { key: "connect", title: t("credentials.consent"), render: (row) => (needsConsent(row) ? html`<${ConnectButton} one=${row} connect=${connect} />` : html`<span class="faint">${t("credentials.not-needed")}</span>`) },
  ];
}

/** Asks the host for the vendor's page; on the machine of the browser the vendor may answer to this address. */
async function askConsent(name) {
  const path = `/v1/credentials/${encodeURIComponent(name)}/connect`;
  try {
    return await post(path, {});
  } catch (problem) {
    if (!(problem instanceof ApiProblem) || problem.status !== 409 || !LOOPBACK.includes(location.hostname)) throw problem;
    return await post(path, { redirect_uri: `${location.origin}/oauth/callback` });
  }
}

function Connect({ one, onClose, onConnected }) {
  const [state, set] = useState({ asked: null, ended: null, problem: null });
  useEffect(() => {
    if (!one) return;
    let left = false;
    set({ asked: null, ended: null, problem: null });
    askConsent(one.name).then((asked) => !left && set({ asked, ended: null, problem: null })).catch((problem) => !left && set({ asked: null, ended: null, problem }));
    return () => {
      left = true;
    };
  }, [one]);
  const { asked, ended, problem } = state;
  useEffect(() => {
    if (!one || !asked || ended) return;
    const timer = setInterval(async () => {
      try {
        const answer = await get(`/v1/credentials/${encodeURIComponent(one.name)}/connect/${encodeURIComponent(asked.id)}`);
        if (answer.state === "pending") return;
        set((old) => ({ ...old, ended: answer }));
        onConnected();
      } catch (problem) {
        set((old) => ({ ...old, ended: { state: "failed" }, problem }));
      }
    }, ASKS);
    return () => clearInterval(timer);
  }, [one, asked, ended]);
  return html`<${Dialog} open=${one !== null} title=${one ? t("credentials.connect-what", { name: plain(one.name) }) : ""} onClose=${onClose}
    actions=${html`<${Button} onClick=${onClose}>${t("common.close")}<//>`}>
    ${problem && html`<${Problem} problem=${problem} />`}
    ${!asked && !problem && html`<${Loading} />`}
    ${asked && !ended && html`<p>${t("credentials.consent-how")}</p>
      <p><a class="button primary" href=${asked.url} target="_blank" rel="noopener noreferrer"><${Icon} name="external" /><span>${t("credentials.to-vendor")}</span></a></p>
      <${Facts} facts=${[[t("credentials.vendor-answers"), html`<code>${plain(asked.redirect_uri)}</code>`], [t("credentials.good-until"), html`<${RelativeTime} at=${asked.expires_at} full />`]]} />
      <${Loading} label=${t("credentials.waiting")} />`}
    ${ended && !problem && html`<div role="status">${ended.state === "connected"
      ? html`<p class="row"><${Status} state="ok" label=${t("credentials.connected")} /></p><p>${ended.renewable ? t("credentials.renewable") : t("credentials.not-renewable")}</p>`
      : html`<p class="row"><${Status} state="failed" /></p><p><${Text} value=${ended.detail ?? ""} lines /></p>`}</div>`}
  <//>`;
}
