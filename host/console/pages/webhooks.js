// Subscribers: whom this host tells of events by webhooks, whether each takes them, and what to do about one that does not.
import { html, useState } from "../preact.js";
import { post, useGet } from "../api.js";
import { duration, number, t } from "../i18n.js";
import { useRefresh } from "../live.js";
import { plain } from "../text.js";
import { Button, Empty, LinkButton, Loading, Page, Problem, RelativeTime, Section, Status, Text, toast } from "../parts/index.js";
import { Facts, Names } from "../parts/facts.js";
import { replayAll } from "../parts/replay-all.js";

export default function Webhooks() {
  const webhooks = useGet("/v1/webhooks");
  useRefresh(["run.changed", "revision.applied"], webhooks.reload, 2_000);
  const { data, problem } = webhooks;
  return html`<${Page} title=${t("common.page-webhooks")} lead=${t("webhooks.lead")}>
    ${problem && html`<${Problem} problem=${problem} retry=${webhooks.reload} />`}
    ${!data && !problem && html`<${Loading} />`}
    ${data && (data.webhooks.length === 0 ? html`<${Empty} title=${t("webhooks.none")} icon="webhooks"><p>${t("webhooks.none-how")}</p><//>`
      : html`<div class="subscribers">${data.webhooks.map((one) => html`<${Subscriber} key=${one.name} one=${one} reload=${webhooks.reload} />`)}</div>`)}
  <//>`;
}

function Subscriber({ one, reload }) {
  const [tried, setTried] = useState(null);
  const path = `/v1/webhooks/${encodeURIComponent(one.name)}`;
  const test = async () => {
    setTried(await post(`${path}/test`));
    await reload();
  };
  const dead = one.runs.dead ?? 0;
  const enable = async () => {
    await post(`${path}/enable`);
    toast(t("webhooks.enabled", { name: plain(one.name) }));
    await reload();
    // What it has missed is told now, if somebody wishes.
    if (dead > 0 && (await replayAll([{ route: one.route }], dead))) await reload();
  };
  const route = encodeURIComponent(one.route);
  return html`<${Section} title=${plain(one.name)} actions=${html`<${Status} state=${one.state} />`}>
    ${one.state === "disabled" && html`<div class="notice" data-tone="bad"><strong>${t("webhooks.is-disabled")}</strong> ${one.reason && html`<${Text} value=${one.reason} lines />`}</div>`}
    ${one.state === "failing" && html`<div class="notice" data-tone="warn"><strong>${t("webhooks.is-failing", { n: one.failures })}</strong> ${one.reason && html`<${Text} value=${one.reason} lines />`}
      ${one.disable_after_ms && html`<p class="small">${t("webhooks.will-disable", { time: duration(one.disable_after_ms) })}</p>`}</div>`}
    <${Facts} facts=${[
      [t("webhooks.url"), html`<code class="digest">${plain(one.url)}</code>`],
      [t("webhooks.format"), t(`webhooks.format-${one.format}`)],
      [t("webhooks.types"), html`<${Names} values=${one.types} none=${t("webhooks.every-type")} />`],
      [t("webhooks.order"), one.ordered ? t("webhooks.ordered") : t("webhooks.unordered")],
      [t("webhooks.secrets"), number(one.secrets)],
      [t("webhooks.last-success"), html`<${RelativeTime} at=${one.last_success_at} />`],
      [t("webhooks.last-failure"), one.last_failure_at && html`<${RelativeTime} at=${one.last_failure_at} />`],
      [t("webhooks.failing-since"), one.failing_since && html`<${RelativeTime} at=${one.failing_since} full />`],
      [t("webhooks.deliveries"), html`<a href=${`/events?route=${route}&status=succeeded`}>${t("webhooks.delivered", { n: one.runs.succeeded ?? 0 })}</a>`],
    ]} />
    <div class="row">
      ${one.state === "disabled" && html`<${Button} kind="primary" needs="operate" onClick=${enable} label=${t("webhooks.enable-what", { name: plain(one.name) })}>${t("webhooks.enable")}<//>`}
      <${Button} icon="run" needs="operate" onClick=${test} label=${t("webhooks.test-what", { name: plain(one.name) })}>${t("webhooks.test")}<//>
      ${dead > 0 && html`<${LinkButton} icon="dead-letters" href=${`/dead-letters?route=${route}`}>${t("webhooks.letters", { n: dead })}<//>`}
    </div>
    <div aria-live="polite">${tried && html`<p class="row"><${Status} state=${tried.ok ? "ok" : "failed"} label=${tried.ok ? t("webhooks.took-it") : t("webhooks.refused-it")} />
      ${tried.status && html`<code>${tried.status}</code>`}<span class="small">${duration(tried.duration_ms)}</span></p>${tried.reason && html`<p><${Text} value=${tried.reason} lines /></p>`}`}</div>
  <//>`;
}
