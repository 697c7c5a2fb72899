// A step of a run: why it failed or what it waits for at once; its input, output, attempts, effects and log lines when it is opened.
import { html, useEffect, useRef, useState } from "../../preact.js";
import { duration, t } from "../../i18n.js";
import { setQuery } from "../../router.js";
import { plain } from "../../text.js";
import { Button, Icon, JsonView, RelativeTime, Status, Text } from "../../parts/index.js";
import { Attempt } from "./attempt.js";
import { Held } from "./decide.js";
import { ErrorBox } from "./error-box.js";
import { heldOf } from "./lines.js";

/** What is open by itself: what failed or is held. */
const speaks = (task) => heldOf(task).length > 0 || task.status === "failed" || task.status === "undo-failed";

export function Step({ run, task, work, query, reload }) {
  const named = query.step === task.name;
  const [open, setOpen] = useState(named || (!query.step && speaks(task)));
  const own = useRef(null);
  useEffect(() => {
    // A link to a step leads to it.
    if (named) own.current?.closest("li")?.scrollIntoView({ block: "nearest" });
  }, []);
  const attempts = task.attempts ?? [];
  const turn = () => {
    setOpen(!open);
    setQuery({ run: run.id, step: open ? "" : task.name });
  };
  const has = attempts.length > 0 || task.input !== null && task.input !== undefined || task.output !== null && task.output !== undefined;
  return html`<div ref=${own} class="step">
    ${task.error && html`<${ErrorBox} error=${task.error} />`}
    <${Waits} task=${task} />
    ${heldOf(task).length > 0 && html`<${Held} run=${run} task=${task} reload=${reload} />`}
    ${has && html`<p class="row"><${Button} small kind="quiet" icon=${open ? "down" : "right"} aria-expanded=${open ? "true" : "false"} onClick=${turn}>
        ${open ? t("events.less") : t("events.more")}<span class="unseen"> ${plain(task.name)}</span><//>
      <span class="faint small">${t("events.attempts", { n: attempts.length })}${attempts.length > 1 ? ` · ${t("events.work", { duration: duration(work) })}` : ""}${effectsText(attempts)}</span></p>`}
    ${open && has && html`<div class="step-inside">
      <div class="columns"><${Value} name=${t("events.input")} of=${task.name} value=${task.input} /><${Value} name=${t("events.output")} of=${task.name} value=${task.output} /></div>
      <${Attempts} attempts=${attempts} step=${task.name} />
    </div>`}
  </div>`;
}

/** How many requests and writes it made, of the last attempt. */
function effectsText(attempts) {
  const last = attempts[attempts.length - 1];
  const requests = (last?.effects ?? []).filter((effect) => effect.kind !== "key-value" && effect.kind !== "batch").length;
  return requests > 0 ? ` · ${t("events.requests", { n: requests })}` : "";
}

function Value({ name, of, value }) {
  return html`<div class="step-value"><h3>${name}</h3>${value === null || value === undefined ? html`<p class="faint">${t("events.nothing")}</p>`
    : html`<${JsonView} value=${value} label=${`${name}: ${plain(of)}`} open=${3} />`}</div>`;
}

/** What the step waits for by design or to be tried again, and how often it was repeated. */
function Waits({ task }) {
  const { waits } = task;
  const said = [];
  if (waits) {
    const until = waits.until ? html` ${t("events.wait-until")} <${RelativeTime} at=${waits.until} full />` : null;
    if (waits.events) {
      said.push(html`<p>${t("events.wait-events", { types: waits.events.map(plain).join(", ") })}${until}</p>`);
      if (waits.where) said.push(html`<p class="small">${t("events.wait-where")} <code>${plain(waits.where)}</code></p>`);
      if (waits.where_failed_for) said.push(html`<p class="small">${t("events.wait-where-failed")} <a href=${`/events/${waits.where_failed_for}`}>${plain(waits.where_failed_for)}</a></p>`);
    } else said.push(html`<p>${t(`events.wait-${["end", "round", "start"].includes(waits.for) ? waits.for : "end"}`)}${until}</p>`);
  }
  if (task.status === "pending" && task.next_attempt_at) said.push(html`<p>${t("events.again-at")} <${RelativeTime} at=${task.next_attempt_at} full /></p>`);
  if (task.rounds > 1) said.push(html`<p>${t("events.rounds", { n: task.rounds })}</p>`);
  if (task.exhausted) said.push(html`<p>${t("events.exhausted")}</p>`);
  if (task.stopped_by) said.push(html`<p>${t("events.stopped-by", { type: plain(task.stopped_by.type ?? "") })}</p>`);
  if (said.length === 0) return null;
  return html`<div class="step-waits"><${Icon} name="wait" /><div>${said}</div></div>`;
}

/** The newest attempt is open; of the others the outcome tells enough until one asks. */
function Attempts({ attempts, step }) {
  if (attempts.length === 0) return null;
  const last = attempts[attempts.length - 1];
  if (attempts.length === 1) return html`<${Attempt} attempt=${last} step=${step} only />`;
  return html`<ol class="attempts" aria-label=${t("events.attempts", { n: attempts.length })}>${[...attempts].reverse().map((attempt) => html`<li key=${`${attempt.started_at}/${attempt.number}`}>
    <details open=${attempt === last}><summary><span class="attempt-head"><strong>${t("events.attempt", { n: attempt.number })}</strong>
      <${Status} state=${attempt.outcome ?? "running"} /><span class="faint"><${RelativeTime} at=${attempt.started_at} full /></span>
      ${attempt.error && attempt !== last && html`<span class="attempt-why"><${Text} value=${attempt.error.reason} /></span>`}</span></summary>
      <${Attempt} attempt=${attempt} step=${step} /></details></li>`)}</ol>`;
}
