// What a replay would do: each step, the first request that it would send, and how that differs from what was sent then.
import { html, useEffect, useRef } from "../../preact.js";
import { t, time } from "../../i18n.js";
import { plain } from "../../text.js";
import { JsonView, Status, Table, Text } from "../../parts/index.js";
import { Effects, KeyValues, Logs } from "./attempt.js";
import { ErrorBox } from "./error-box.js";

export function DryRun({ dry }) {
  const heading = useRef(null);
  useEffect(() => heading.current?.focus(), []);
  return html`<section class="dry-run" aria-labelledby="dry-run-title">
    <h3 id="dry-run-title" tabindex="-1" ref=${heading}>${t("events.dry-title")}</h3>
    <p class="hint">${t("events.dry-why")}</p>
    ${dry.runs.map((run) => html`<div key=${run.replay_of} class="dry-route">
      <h4>${t("events.run-of", { route: plain(run.route) })} <span class="faint">${t("events.on-revision", { n: run.revision })}</span></h4>
      <ol>${run.steps.map((step) => html`<${Step} key=${step.name} step=${step} />`)}</ol></div>`)}
  </section>`;
}

/** `[state, words]` of a step that was tried. */
function says(step) {
  if (step.status === "succeeded") return step.kept ? ["succeeded", t("events.dry-kept")] : ["succeeded", t("events.dry-succeeds")];
  if (step.status === "skipped") return ["skipped", undefined];
  if (step.status === "failed") return ["failed", t("events.dry-fails")];
  if (step.status === "stopped") return step.would_send ? ["running", t("events.dry-sends")] : ["waiting", t("events.dry-stops")];
  return ["pending", t("events.dry-not-reached")];
}

function Step({ step }) {
  const [state, label] = says(step);
  const outside = (step.effects ?? []).filter((effect) => effect.kind !== "key-value");
  const kept = (step.effects ?? []).filter((effect) => effect.kind === "key-value");
  const inside = !step.kept && (step.input !== null || outside.length + kept.length > 0);
  return html`<li class="dry-step"><p class="row"><${Status} state=${state} label=${label} /><strong><${Text} value=${step.name} /></strong><span class="faint"><${Text} value=${step.uses} /></span></p>
    ${step.error && html`<${ErrorBox} error=${step.error} />`}
    ${step.would_send && html`<${WouldSend} step=${step} />`}
    ${step.events?.length > 0 && html`<p class="small">${t("events.dry-events", { n: step.events.length })} ${step.events.map((one) => plain(one.event?.type ?? "")).join(", ")}</p>`}
    ${inside && html`<details><summary>${t("events.dry-more")}</summary><div class="step-inside">
      <div class="columns"><div><h5>${t("events.input")}</h5><${JsonView} value=${step.input} label=${`${t("events.input")}: ${plain(step.name)}`} open=${3} /></div>
        ${step.output !== null && html`<div><h5>${t("events.output")}</h5><${JsonView} value=${step.output} label=${`${t("events.output")}: ${plain(step.name)}`} open=${3} /></div>`}</div>
      ${outside.length > 0 && html`<${Effects} effects=${outside} caption=${t("events.dry-effects", { step: plain(step.name) })} />`}
      ${kept.length > 0 && html`<details><summary>${t("events.kept", { n: kept.length })}</summary><${KeyValues} effects=${kept} caption=${t("events.kept-of", { step: plain(step.name), n: 1 })} /></details>`}
      <${Logs} logs=${step.logs ?? []} step=${plain(step.name)} /></div></details>`}
  </li>`;
}

/** Where in the request, in words: a header's name, a place in the body (JSON pointer). */
const where = (change) => (change.part === "body" ? (change.path ? `${t("events.part-body")} ${plain(change.path)}` : t("events.part-body")) : change.part === "header" ? `${t("events.part-header")} ${plain(change.path)}` : t(`events.part-${change.part}`));

function Side({ change, side }) {
  if (!(side in change)) return html`<span class="faint">${t("events.diff-nothing")}</span>`;
  const value = change[side];
  const text = typeof value === "string" ? value : JSON.stringify(value, null, 1);
  return side === "then" ? html`<del><${Text} value=${text} lines /></del>` : html`<ins><${Text} value=${text} lines /></ins>`;
}

function WouldSend({ step }) {
  const { would_send: request, difference } = step;
  const columns = [
    { key: "where", title: t("events.diff-where"), width: "9rem", render: (change) => html`<code>${where(change)}</code>` },
    { key: "then", title: t("events.diff-then"), render: (change) => html`<${Side} change=${change} side="then" />` },
    { key: "now", title: t("events.diff-now"), render: (change) => html`<${Side} change=${change} side="now" />` },
  ];
  return html`<div class="would-send">
    <p><strong>${plain(request.method)}</strong> <code><${Text} value=${request.url} /></code>${request.name && html` “<${Text} value=${request.name} />”`}</p>
    ${difference ? html`<p class="small">${t("events.diff-against", { at: time(difference.against.sent_at), status: difference.against.status ?? difference.against.state })}</p>
      ${difference.changes.length === 0 ? html`<p class="notice" data-tone="ok">${t("events.diff-none")}</p>`
        : html`<${Table} cards="narrow" caption=${t("events.diff-caption", { step: plain(step.name) })} columns=${columns} rows=${difference.changes} rowKey=${(change) => `${change.part}${change.path}`} />`}
      ${difference.more_changes > 0 && html`<p>${t("events.diff-more", { n: difference.more_changes })}</p>`}`
      : html`<p class="small">${t("events.diff-first")}</p>`}
    <details><summary>${t("events.dry-request")}</summary><${JsonView} value=${{ headers: Object.fromEntries(request.headers ?? []), body: request.body, key: request.key }} label=${t("events.dry-request")} open=${4} /></details>
  </div>`;
}
