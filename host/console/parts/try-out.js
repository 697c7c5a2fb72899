// The try-out box: an expression or a whole route on a sample event. Nothing is sent, nothing is stored.
import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { get, post, useGet } from "../api.js";
import { t } from "../i18n.js";
import { may } from "../session.js";
import { plain } from "../text.js";
import { Button, Checkbox, JsonView, Problem, Section, Select, Status, Tabs, Text, TextArea } from "./index.js";
import { catalogue, takes } from "./sample.js";
import { Mistakes, Warnings } from "./reload.js";
import { TriedRoute } from "./tried.js";

const READS = ["none", "live", "recorded"];
const PURPOSES = ["value", "when", "order-by", "template"];

/** JSON that somebody typed: `{ value }` or `{ error }`. */
function read(text, empty) {
  if (!text.trim()) return { value: empty };
  try {
    return { value: JSON.parse(text) };
  } catch (error) {
    return { error: t("routes.not-json", { why: error.message }) };
  }
}

/** Selects what stands at a place of a text that is edited, so that it is seen: `line` and `column` count characters from 1. */
function goTo(area, { line, column, length }) {
  const lines = area.value.split("\n");
  const units = (text, count) => [...text].slice(0, count).join("").length;
  const begins = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
  const from = begins + units(lines[line - 1] ?? "", column - 1);
  area.focus();
  area.setSelectionRange(from, begins + units(lines[line - 1] ?? "", column - 1 + (length ?? 1)));
  area.scrollTop = (area.scrollHeight / lines.length) * Math.max(0, line - 3);
}

export function TryOut({ route }) {
  const [tab, setTab] = useState("route");
  const sample = useSample(route);
  return html`<${Section} title=${t("routes.try")}>
    <p class="small">${t("routes.try-lead")}</p>
    <div class="try"><${Sample} sample=${sample} />
    <${Tabs} label=${t("routes.try")} value=${tab} onChange=${setTab} tabs=${[
      { id: "route", title: t("routes.whole-route"), content: () => html`<${WholeRoute} route=${route} sample=${sample} />` },
      { id: "expression", title: t("routes.expression"), content: () => html`<${Expression} route=${route} sample=${sample} />` },
    ]} /></div>
  <//>`;
}

/** What is tried on: an event that is typed, or one that was taken in and is named by its eid. */
function useSample(route) {
  const document = useGet("/asyncapi.json");
  const past = useGet("/v1/events", { route: route.name, limit: 10 });
  const [state, set] = useState({ from: "", text: "", eid: null, problem: null });
  const types = useMemo(() => catalogue(document.data).filter((one) => route.types.some((pattern) => takes(pattern, one.type))), [document.data, route]);
  const typed = useMemo(() => (route.types[0] && !route.types[0].includes("*") ? route.types[0] : types[0]?.type ?? "example.happened"), [route, types]);
  const show = (event) => JSON.stringify(event, null, 2);
  // Of a source that the route wants, so that it is not refused for that.
  const source = route.sources?.[0]?.replaceAll("*", "sample") || "/sample";
  const choose = async (from) => {
    if (from.startsWith("eid:")) {
      const eid = from.slice(4);
      try {
        const { event } = await get(`/v1/events/${encodeURIComponent(eid)}`);
        set({ from, text: show(event), eid, problem: null });
      } catch (problem) {
        set((old) => ({ ...old, from, problem }));
      }
      return;
    }
    const known = types.find((one) => `type:${one.type}` === from)?.event ?? { type: typed, data: {} };
    set({ from, text: show({ ...known, source }), eid: null, problem: null });
  };
  const events = past.data?.events ?? [];
  // The first sample, as soon as it is known what there is: what has come is truer than what may come.
  useEffect(() => {
    if (state.from || !(past.data || past.problem) || !(document.data || document.problem)) return;
    choose(events.length > 0 ? `eid:${events[0].eid}` : types.length > 0 ? `type:${types[0].type}` : "typed");
  }, [past.data, past.problem, document.data, document.problem]);
  const options = [
    ...events.map((row) => ({ value: `eid:${row.eid}`, label: t("routes.past-event", { id: plain(row.event?.id ?? row.eid), type: plain(row.event?.type ?? "") }) })),
    ...types.map((one) => ({ value: `type:${one.type}`, label: t("routes.of-type", { type: plain(one.type) }) })),
    { value: "typed", label: t("routes.typed") },
  ];
  const type = (text) => set((old) => ({ from: "typed", text, eid: null, problem: old.problem }));
  return { ...state, options, choose, type, read: () => read(state.text, null) };
}

function Sample({ sample }) {
  const wrong = sample.text ? sample.read().error : undefined;
  return html`<div class="stack tight">
    <${Select} label=${t("routes.sample")} value=${sample.from} onChange=${sample.choose} options=${sample.options} />
    ${sample.problem && html`<${Problem} problem=${sample.problem} />`}
    <${TextArea} label=${t("routes.event")} code rows=${14} value=${sample.text} onInput=${sample.type} error=${wrong}
      hint=${sample.eid ? t("routes.as-taken-in") : t("routes.as-typed")} />
  </div>`;
}

function WholeRoute({ route, sample }) {
  const [reads, setReads] = useState("none");
  const [edit, setEdit] = useState(false);
  const [toml, setToml] = useState(route.toml ?? "");
  const [answers, setAnswers] = useState("");
  const [state, set] = useState({ tried: null, problem: null });
  const [text, given] = [useRef(null), useRef(null)];
  useEffect(() => setToml(route.toml ?? ""), [route.toml]);
  const allowed = READS.filter((one) => one !== "recorded" || sample.eid);
  const run = async () => {
    const [event, answered] = [sample.read(), readAnswers(answers)];
    const wrong = event.error ?? answered.error;
    if (wrong) return set({ tried: null, problem: { detail: wrong } });
    const order = { answers: answered.value, reads: allowed.includes(reads) ? reads : "none", ...(sample.eid ? { eid: sample.eid } : { event: event.value }), ...(edit && toml.trim() ? { toml } : { route: route.name }) };
    try {
      set({ tried: await post("/v1/try/route", order), problem: null });
    } catch (problem) {
      set({ tried: null, problem });
    }
  };
  // What one request would be answered, to be filled in by whoever knows its system.
  const answer = ({ method, url, name }) => {
    const { value, error } = readAnswers(answers);
    if (!error) setAnswers(JSON.stringify([...value, { method, url, ...(name ? { name } : {}), status: 200, body: {} }], null, 2));
    given.current.open = true;
    given.current.querySelector("textarea").focus();
  };
  return html`<div class="stack tight">
    <div class="filters"><${Select} label=${t("routes.reads")} value=${allowed.includes(reads) ? reads : "none"} onChange=${setReads} hint=${t(`routes.reads-${reads}-hint`)}
      options=${allowed.map((value) => ({ value, label: t(`routes.reads-${value}`) }))} /></div>
    ${route.toml && html`<${Checkbox} label=${t("routes.change-text")} hint=${t("routes.change-text-hint")} checked=${edit} onChange=${setEdit} />`}
    ${edit && html`<div ref=${text}><${TextArea} label=${t("routes.text")} code rows=${12} value=${toml} onInput=${setToml} /></div>`}
    <details ref=${given}><summary>${t("routes.answers")}</summary><${TextArea} label=${t("routes.answers")} hideLabel code rows=${6} value=${answers} onInput=${setAnswers}
      error=${readAnswers(answers).error} hint=${t("routes.answers-hint", { sample: '[{"method": "POST", "url": "https://example.com/*", "status": 201, "body": {"id": 1}}]' })} /></details>
    <div><${Button} kind="primary" icon="run" needs="operate" onClick=${run}>${t("routes.run")}<//></div>
    <div aria-live="polite">${state.problem && html`<${Refused} problem=${state.problem} show=${edit && ((place) => goTo(text.current.querySelector("textarea"), place))} />`}
      ${state.tried && html`<${Tried} tried=${state.tried} answer=${answer} />`}</div>
  </div>`;
}

/** Answers that somebody typed: a list, empty where nothing is typed. */
function readAnswers(text) {
  const given = read(text, []);
  return given.error || Array.isArray(given.value) ? given : { error: t("routes.answers-list") };
}

/** Why something could not be tried: with places, where the host gives them. `show(place)`: leads to one in the text, where there is a text. */
function Refused({ problem, show }) {
  const { problems, line, column, length, pointer } = problem.document ?? {};
  const first = problems?.find((one) => one.severity !== "warning") ?? (line && !pointer ? { line, column, length } : null);
  const button = first && show && html`<div><${Button} small icon="external" onClick=${() => show(first)}>${t("routes.show-place", { line: first.line, column: first.column })}<//></div>`;
  if (problems?.length) return html`<${Mistakes} problems=${problems} title=${() => t("routes.text-refused")}>${button}<//>`;
  return html`<div class="stack tight"><${Problem} problem=${problem} />
    ${line && html`<p class="small">${pointer && html`<code>${plain(pointer)}</code> · `}${t("routes.at-place", { line, column })}</p>`}${button}</div>`;
}

function Tried({ tried, answer }) {
  if (tried.refused) return html`<div class="notice" data-tone="bad"><strong>${t("routes.intake-refuses")}</strong> <${Text} value=${tried.refused.reason} />${tried.refused.pointer && html` <code>${plain(tried.refused.pointer)}</code>`}</div>`;
  return html`<div class="stack">
    <${Warnings} warnings=${tried.warnings} />
    ${tried.routes.map((one) => html`<${TriedRoute} key=${one.name} tried=${one} answer=${answer} />`)}</div>`;
}

function Expression({ route, sample }) {
  const [purpose, setPurpose] = useState("value");
  const [text, setText] = useState(route.when ?? ".event.data");
  const [steps, setSteps] = useState("");
  const [state, set] = useState({ tried: null, problem: null });
  const area = useRef(null);
  const run = async () => {
    const event = sample.read();
    const given = read(steps, {});
    const template = purpose === "template" ? read(text, null) : {};
    const wrong = event.error ?? given.error ?? template.error;
    if (wrong) return set({ tried: null, problem: { detail: wrong } });
    const what = purpose === "template" ? { template: template.value } : { expression: text, ...(purpose === "value" ? {} : { as: purpose }) };
    try {
      set({ tried: await post("/v1/try/expression", { ...what, event: event.value, steps: given.value }), problem: null });
    } catch (problem) {
      set({ tried: null, problem });
    }
  };
  return html`<div class="stack tight">
    <${Select} label=${t("routes.purpose")} value=${purpose} onChange=${setPurpose} options=${PURPOSES.map((value) => ({ value, label: t(`routes.purpose-${value}`) }))} />
    <div ref=${area}><${TextArea} label=${t("routes.expression")} code rows=${4} value=${text} onInput=${setText} hint=${t("routes.expression-hint")} /></div>
    <details><summary>${t("routes.steps-given")}</summary><${TextArea} label=${t("routes.steps-given")} hideLabel code rows=${4} value=${steps} onInput=${setSteps} hint=${t("routes.steps-hint", { sample: `{"first": {"output": {"id": 1}}}` })} /></details>
    <div><${Button} kind="primary" icon="run" needs="operate" onClick=${run}>${t("routes.evaluate")}<//></div>
    ${!may("operate") && html`<p class="faint small">${t("routes.try-needs")}</p>`}
    <div aria-live="polite">${state.problem && html`<${Refused} problem=${state.problem} show=${(place) => goTo(area.current.querySelector("textarea"), place)} />`}${state.tried && html`<${Value} tried=${state.tried} />`}</div>
  </div>`;
}

function Value({ tried }) {
  const says = tried.truth === true || tried.truth === false;
  return html`<div class="stack tight"><h3>${t("routes.gives")}</h3>
    ${says && html`<p><${Status} state=${tried.truth ? "ok" : "skipped"} label=${tried.truth ? t("routes.says-yes") : t("routes.says-no")} /></p>`}
    ${tried.order_key && html`<p>${t("routes.order-key")} <code>${plain(tried.order_key)}</code></p>`}
    <${JsonView} value=${tried.value} label=${t("routes.gives")} open=${3} />
    ${tried.warnings?.length > 0 && html`<ul>${tried.warnings.map((one) => html`<li key=${one}><${Text} value=${one} /></li>`)}</ul>`}</div>`;
}
