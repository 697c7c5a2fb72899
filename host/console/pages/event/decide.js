// A write in doubt that a step is held for: a person says whether it was done.
import { html, useState } from "../../preact.js";
import { post } from "../../api.js";
import { t } from "../../i18n.js";
import { plain } from "../../text.js";
import { Button, Dialog, Input, Problem, Text, TextArea, toast } from "../../parts/index.js";
import { heldOf } from "./lines.js";

export function Held({ run, task, reload }) {
  return html`<div class="held notice" data-tone="warn"><p><strong>${t("events.held-title")}</strong></p><p>${t("events.held-why")}</p>
    <ul>${heldOf(task).map((effect) => html`<${Write} key=${`${effect.run}/${effect.seq}`} run=${run} task=${task} effect=${effect} reload=${reload} />`)}</ul></div>`;
}

function Write({ run, task, effect, reload }) {
  const [asked, ask] = useState(null);
  return html`<li class="held-write"><span><strong>${plain(effect.method)}</strong> <code><${Text} value=${effect.url} /></code>${effect.name && html` “<${Text} value=${effect.name} />”`}</span>
    <span class="row"><${Button} small needs="operate" icon="ok" onClick=${() => ask("done")}>${t("events.was-done")}<//>
    <${Button} small needs="operate" icon="replay" onClick=${() => ask("not-done")}>${t("events.was-not-done")}<//></span>
    <${Decision} outcome=${asked} run=${run} task=${task} effect=${effect} onClose=${() => ask(null)} reload=${reload} />
  </li>`;
}

function Decision({ outcome, run, task, effect, onClose, reload }) {
  const [status, setStatus] = useState("200");
  const [body, setBody] = useState("");
  const [problem, setProblem] = useState(null);
  const done = outcome === "done";
  const send = async () => {
    let response;
    if (done) {
      let content = body;
      try {
        content = body.trim() ? JSON.parse(body) : null;
      } catch {
        // It is text, then.
      }
      response = { status: Number(status), body: content };
    }
    try {
      const path = `/v1/runs/${encodeURIComponent(run.id)}/steps/${encodeURIComponent(task.name)}/effects/${effect.seq}`;
      const answer = await post(path, { outcome, attempt: effect.attempt, key: effect.key, ...(response ? { response } : {}) });
      toast(answer.left > 0 ? t("events.decided-left", { n: answer.left }) : t("events.decided"));
      setProblem(null);
      onClose();
      await reload();
    } catch (wrong) {
      setProblem(wrong);
    }
  };
  return html`<${Dialog} open=${outcome !== null} onClose=${onClose} title=${done ? t("events.decide-done") : t("events.decide-not-done")}
    actions=${html`<${Button} onClick=${onClose}>${t("common.cancel")}<//><${Button} kind="primary" onClick=${send}>${done ? t("events.was-done") : t("events.was-not-done")}<//>`}>
    <p><strong>${plain(effect.method)}</strong> <code><${Text} value=${effect.url} /></code></p>
    <p>${done ? t("events.decide-done-why") : t("events.decide-not-done-why")}</p>
    ${done && html`<${Input} label=${t("events.answer-status")} hint=${t("events.answer-status-hint")} inputmode="numeric" value=${status} onInput=${setStatus} />
      <${TextArea} label=${t("events.answer-body")} hint=${t("events.answer-body-hint")} code rows=${5} value=${body} onInput=${setBody} />`}
    ${problem && html`<${Problem} problem=${problem} />`}
  <//>`;
}
