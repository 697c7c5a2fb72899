// Replaying an event: from where, with which keys, on which configuration; and what it would do, before it is done.
import { html, useEffect, useState } from "../../preact.js";
import { post } from "../../api.js";
import { t } from "../../i18n.js";
import { setQuery } from "../../router.js";
import { plain } from "../../text.js";
import { Button, Checkbox, Dialog, Problem, Select, toast } from "../../parts/index.js";
import { DryRun } from "./dry-run.js";
import { chosenRun, linesOf, newest } from "./lines.js";

/** A choice among a few, each with a sentence on what it means. */
function Choice({ name, label, value, onChange, options }) {
  return html`<fieldset class="choice"><legend>${label}</legend>${options.map((option) => html`<label key=${option.value}>
    <input type="radio" name=${name} value=${option.value} checked=${option.value === value} onChange=${() => onChange(option.value)} />
    <span><strong>${option.label}</strong> <span class="hint">${option.hint}</span></span></label>`)}</fieldset>`;
}

export function ReplayDialog({ open, onClose, data, query, reload }) {
  return html`<${Dialog} open=${open} wide title=${t("events.replay-title")} onClose=${onClose}>${open && html`<${Form} data=${data} query=${query} onClose=${onClose} reload=${reload} />`}<//>`;
}

function Form({ data, query, onClose, reload }) {
  const lines = linesOf(data.runs);
  const dead = lines.filter((line) => newest(line).status === "dead");
  const looked = chosenRun(data.runs, query);
  const [route, setRoute] = useState(dead.length > 1 ? "" : dead[0]?.route ?? looked?.route ?? "");
  const [from, setFrom] = useState(dead.length > 0 && (!route || dead.some((line) => line.route === route)) ? "failed" : "start");
  const [keys, setKeys] = useState("same");
  const [plugins, setPlugins] = useState("present");
  const [reads, setReads] = useState("recorded");
  const [known, setKnown] = useState(false);
  const [dry, setDry] = useState(null);
  const [problem, setProblem] = useState(null);
  const again = keys === "new";
  const wish = { ...(route ? { route } : {}), from: again ? "start" : from, keys, plugins };
  // What was tried is not what would be done any more.
  useEffect(() => {
    setDry(null);
    setProblem(null);
  }, [route, from, keys, plugins, reads]);

  const attempt = async (act) => {
    setProblem(null);
    try {
      await act();
    } catch (wrong) {
      setDry(null);
      setProblem(wrong);
    }
  };
  const tryOut = () => attempt(async () => setDry((await post(`/v1/events/${encodeURIComponent(data.eid)}/replay`, { ...wish, dry_run: true, reads })).dry_run));
  const run = () => attempt(async () => {
    const answer = await post(`/v1/events/${encodeURIComponent(data.eid)}/replay`, wish);
    toast(t("events.replayed", { n: answer.replays.length }));
    onClose();
    await reload();
    // What is shown is the run that has just begun.
    setQuery({ tab: "", step: "", run: answer.replays.length === 1 ? answer.replays[0].run : "" }, { replace: false });
  });

  const routes = [...new Set(lines.map((line) => line.route))];
  return html`<div class="replay-form">
    ${routes.length > 1 && html`<${Select} label=${t("events.r-route")} value=${route} onChange=${setRoute} options=${[
      { value: "", label: from === "start" || again ? t("events.r-all") : t("events.r-dead", { n: dead.length }) }, ...routes.map((name) => ({ value: name, label: plain(name) }))]} />`}
    <div class="choices">
      <${Choice} name="from" label=${t("events.r-from")} value=${again ? "start" : from} onChange=${(value) => { setFrom(value); if (value === "failed") setKeys("same"); }} options=${[
        { value: "failed", label: t("events.r-failed"), hint: t("events.r-failed-hint") }, { value: "start", label: t("events.r-start"), hint: t("events.r-start-hint") }]} />
      <${Choice} name="keys" label=${t("events.r-keys")} value=${keys} onChange=${setKeys} options=${[
        { value: "same", label: t("events.r-same"), hint: t("events.r-same-hint") }, { value: "new", label: t("events.r-new"), hint: t("events.r-new-hint") }]} />
      <${Choice} name="plugins" label=${t("events.r-plugins")} value=${plugins} onChange=${setPlugins} options=${[
        { value: "present", label: t("events.r-present"), hint: t("events.r-present-hint") }, { value: "pinned", label: t("events.r-pinned"), hint: t("events.r-pinned-hint") }]} />
    </div>
    ${again && html`<div class="notice" data-tone="bad"><${Checkbox} label=${t("events.r-new-known")} checked=${known} onChange=${setKnown} /></div>`}
    <div class="row dry-bar"><${Button} icon="search" onClick=${tryOut}>${t("events.dry-run")}<//>
      <${Select} label=${t("events.reads")} hideLabel value=${reads} onChange=${setReads} options=${[{ value: "recorded", label: t("events.reads-recorded") }, { value: "live", label: t("events.reads-live") }]} />
      <span class="hint">${reads === "live" ? t("events.reads-live-hint") : t("events.reads-recorded-hint")}</span></div>
    ${problem && html`<${Problem} problem=${problem} title=${t("events.replay-refused")} />`}
    ${dry && html`<${DryRun} dry=${dry} />`}
    <div class="row replay-end"><${Button} onClick=${onClose}>${t("common.cancel")}<//>
      <${Button} kind=${again ? "danger" : "primary"} icon="replay" why=${again && !known ? t("events.r-new-confirm") : undefined} onClick=${run}>${again ? t("events.replay-all-again") : t("events.replay")}<//></div>
  </div>`;
}
