// A route as it was tried: whether it wants the event, and each step with its input, what it would send, and what it gives.
import { html } from "../preact.js";
import { list, t } from "../i18n.js";
import { plain } from "../text.js";
import { Button, Icon, JsonView, Status, Text, Timeline } from "./index.js";

/** How a step that was only tried ended: `[state, tone]`. */
const TONES = { succeeded: "ok", skipped: "off", failed: "bad", stopped: "warn", assumed: "info", "not-reached": "off" };

function WhyNot({ why }) {
  const wants = list((why?.wants ?? []).map((one) => `“${plain(one)}”`));
  if (why?.kind === "type") return html`<p>${t("routes.not-type", { wants })}</p>`;
  if (why?.kind === "source") return html`<p>${t("routes.not-source", { wants })}</p>`;
  return html`<p>${t("routes.not-when", { gave: JSON.stringify(why?.gave ?? null) })} <code>${plain(why?.expression ?? "")}</code></p>`;
}

/** `answer(write)`: somebody wants to say what a request is answered. */
export function TriedRoute({ tried, answer }) {
  if (!tried.wanted) return html`<div class="notice" data-tone="off"><h3><${Icon} name="off" /> ${t("routes.not-wanted", { name: plain(tried.name) })}</h3><${WhyNot} why=${tried.why_not} /></div>`;
  return html`<div class="stack tight">
    <h3 class="row"><${Status} state="ok" label=${t("routes.wanted", { name: plain(tried.name) })} />${tried.order_key && html`<span class="small">${t("routes.order-key")} <code>${plain(tried.order_key)}</code></span>`}</h3>
    ${tried.dead && html`<div class="notice" data-tone="bad"><${Text} value=${tried.dead.reason} lines /></div>`}
    <${Timeline} label=${t("routes.steps")} items=${tried.steps.map((step) => ({
      key: step.name, state: step.status, label: t(`routes.tried-${step.status}`), tone: TONES[step.status], title: `${plain(step.name)} · ${plain(step.uses)}`,
      content: html`<${TriedStep} step=${step} answer=${answer} />` }))} />
  </div>`;
}

function TriedStep({ step, answer }) {
  const events = step.events ?? [];
  const logs = step.logs ?? [];
  return html`<div class="stack tight">
    ${step.status === "stopped" && html`<p class="small">${t("routes.stopped-why")}</p>`}
    ${step.status === "assumed" && html`<p class="small">${t(`routes.assumed-${step.output_from ?? "example"}`)}</p>`}
    ${step.error && html`<div class="notice" data-tone=${step.status === "failed" ? "bad" : "warn"}><${Status} state=${step.error.kind} tone=${step.status === "failed" ? undefined : "warn"} /> <${Text} value=${step.error.reason} lines /></div>`}
    ${step.writes?.length > 0 && html`<h4>${t("routes.would-send", { n: step.writes.length })}</h4>
      ${step.writes.map((write, index) => html`<${Write} key=${index} write=${write} answer=${answer} />`)}`}
    ${step.input !== null && step.input !== undefined && html`<details><summary>${t("routes.input")}</summary><${JsonView} value=${step.input} label=${t("routes.input")} /></details>`}
    ${step.output !== null && step.output !== undefined && html`<details><summary>${t("routes.output")}</summary><${JsonView} value=${step.output} label=${t("routes.output")} /></details>`}
    ${events.length > 0 && html`<details><summary>${t("routes.would-bring", { n: events.length })}</summary><${JsonView} value=${events} label=${t("routes.would-bring", { n: events.length })} /></details>`}
    ${logs.length > 0 && html`<details><summary>${t("routes.logs", { n: logs.length })}</summary><${JsonView} value=${logs} label=${t("routes.logs", { n: logs.length })} /></details>`}
  </div>`;
}

/** A request that was not sent. */
function Write({ write, answer }) {
  return html`<div class="write"><p><code><strong>${plain(write.method)}</strong> ${plain(write.url)}</code>${write.name && html` <span class="faint small">${plain(write.name)}</span>`}</p>
    <details><summary>${t("routes.headers", { n: write.headers?.length ?? 0 })}</summary>
      <dl class="small">${(write.headers ?? []).map(([name, value]) => [html`<dt key=${`${name}-name`}><code>${plain(name)}</code></dt>`, html`<dd key=${name}><code>${plain(value)}</code></dd>`])}</dl></details>
    ${write.body !== null && write.body !== undefined && html`<${JsonView} value=${write.body} label=${t("routes.body")} />`}
    ${write.answer ? html`<p class="small">${t("routes.given-answer", { status: write.answer.status })}</p>`
      : html`<div><${Button} small label=${t("routes.answer-what", { what: `${plain(write.method)} ${plain(write.url)}` })} onClick=${() => answer(write)}>${t("routes.answer")}<//></div>`}
  </div>`;
}
