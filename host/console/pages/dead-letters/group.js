// Dead letters of one cause: what they died of, where, how many and since when; the letters, to be replayed one by one or together.
import { html, useEffect, useMemo, useState } from "../../preact.js";
import { useList } from "../../api.js";
import { t } from "../../i18n.js";
import { useRefresh } from "../../live.js";
import { setQuery } from "../../router.js";
import { plain } from "../../text.js";
import { ask, Button, LoadMore, Loading, Problem, RelativeTime, Status, Table, Text } from "../../parts/index.js";
import { begin } from "./replaying.js";

export function Group({ group, filter, open, busy, reload }) {
  const [shown, setShown] = useState(open);
  useEffect(() => setShown(open), [open]);
  const turn = () => {
    setShown(!shown);
    setQuery({ cause: shown ? "" : group.cause });
  };
  // What several have in common; of a single one, what it said.
  const pattern = (group.count > 1 && group.pattern) || group.reason || group.pattern;
  const replay = async () => {
    const confirmed = await ask({ title: t("dead-letters.replay-title", { n: group.count }), text: t("dead-letters.replay-text"), confirm: t("dead-letters.replay"), details: html`<p class="group-pattern"><${Text} value=${pattern} lines /></p>` });
    if (confirmed) begin({ filter: { ...filter, cause: group.cause }, total: group.count, title: pattern });
  };
  const id = `cause-${group.cause}`;
  return html`<article class="card letter-group" aria-labelledby=${id}>
    <div class="group-head">
      <p class="group-count" aria-hidden="true">${t("dead-letters.times-count", { n: group.count })}</p>
      <div class="group-what">
        <h2 id=${id} class="group-pattern"><span class="unseen">${t("dead-letters.count", { n: group.count })}: </span><${Text} value=${pattern} lines /></h2>
        <p class="row group-where"><${Status} state=${group.kind} />
          ${group.plugin && html`<span><a href=${`/plugins/${encodeURIComponent(group.plugin)}`}><${Text} value=${group.plugin} /></a>${group.action && html`<span class="faint">.${plain(group.action)}</span>`}</span>`}
          <span class="faint">${group.step ? t("dead-letters.where", { step: plain(group.step), route: plain(group.route) }) : t("dead-letters.where-route", { route: plain(group.route) })}</span></p>
        <p class="faint small">${group.count > 1 ? html`${t("dead-letters.first")} <${RelativeTime} at=${group.first_at} /> · ` : ""}${t("dead-letters.last")} <${RelativeTime} at=${group.last_at} /></p>
        ${group.reason && group.reason !== pattern && html`<details class="group-sample"><summary>${t("dead-letters.sample-reason")}</summary><p><${Text} value=${group.reason} lines /></p></details>`}
      </div>
      <div class="group-actions"><${Button} kind="primary" small needs="operate" icon="replay" why=${busy ? t("dead-letters.busy") : undefined} onClick=${replay}>${t("dead-letters.replay-n", { n: group.count })}<//>
        <${Button} small icon=${shown ? "down" : "right"} aria-expanded=${shown ? "true" : "false"} onClick=${turn}>${t("dead-letters.letters")}<//>
        <a href=${hrefOf(group.sample, group.step)}>${t("dead-letters.sample")}</a></div>
    </div>
    ${shown && html`<${Letters} group=${group} filter=${filter} busy=${busy} reload=${reload} />`}
  </article>`;
}

const hrefOf = ({ eid, run }, step) => `/events/${eid}?run=${run}${step ? `&step=${encodeURIComponent(step)}` : ""}`;

function Letters({ group, filter, busy, reload }) {
  const params = { ...filter, cause: group.cause, limit: 50 };
  const letters = useList("/v1/dead-letters", "dead_letters", params);
  const [chosen, choose] = useState(new Set());
  useRefresh(["run.changed"], () => (letters.items.length <= 50 ? letters.reload() : undefined), 2_000);
  const rows = letters.items;
  // What was replayed by somebody meanwhile is chosen no more.
  const selected = rows.filter((row) => chosen.has(row.run));
  const turn = (row) => choose((old) => {
    const next = new Set(old);
    if (!next.delete(row.run)) next.add(row.run);
    return next;
  });
  const allChosen = rows.length > 0 && selected.length === rows.length;
  const replay = (some) => {
    begin({ letters: some, total: some.length, title: some.length === 1 ? plain(some[0].id) : t("dead-letters.job-chosen") });
    choose(new Set());
  };
  const columns = useMemo(() => [
    { key: "id", title: t("dead-letters.col-id"), width: "28%", render: (row) => html`<span class="letter-id"><input type="checkbox" aria-label=${t("dead-letters.choose", { id: plain(row.id) })} checked=${chosen.has(row.run)} onChange=${() => turn(row)} />
      <a href=${hrefOf(row, group.step)}><${Text} value=${row.id} /></a></span>` },
    { key: "type", title: t("dead-letters.col-type"), width: "16%", narrow: false, render: (row) => html`<${Text} value=${row.type} />` },
    { key: "reason", title: t("dead-letters.col-reason"), narrow: false, render: (row) => html`<span class="cell-cut" title=${plain(row.reason)}><${Text} value=${row.reason} /></span>` },
    { key: "died", title: t("dead-letters.col-died"), width: "8.5rem", render: (row) => html`<${RelativeTime} at=${row.died_at} />` },
    { key: "act", title: t("dead-letters.col-act"), width: "7rem", render: (row) => html`<${Button} small kind="quiet" icon="replay" needs="operate" label=${t("dead-letters.replay-one", { id: plain(row.id) })}
      why=${row.erased_at ? t("dead-letters.erased") : busy ? t("dead-letters.busy") : undefined} onClick=${() => replay([row])} />` },
  ], [chosen, busy, group.step]);
  if (letters.loading && rows.length === 0) return html`<${Loading} />`;
  if (letters.problem && rows.length === 0) return html`<${Problem} problem=${letters.problem} retry=${letters.reload} />`;
  return html`<div class="stack group-letters">
    <div class="row"><label class="row choose-all"><input type="checkbox" checked=${allChosen} onChange=${() => choose(allChosen ? new Set() : new Set(rows.map((row) => row.run)))} /><span>${t("dead-letters.choose-all", { n: rows.length })}</span></label>
      <${Button} small icon="replay" needs="operate" why=${selected.length === 0 ? t("dead-letters.choose-first") : busy ? t("dead-letters.busy") : undefined} onClick=${() => replay(selected)}>${t("dead-letters.replay-chosen", { n: selected.length })}<//></div>
    <${Table} cards="narrow" caption=${t("dead-letters.letters-of")} columns=${columns} rows=${rows} rowKey=${(row) => row.run} empty=${html`<p>${t("dead-letters.gone")}</p>`} />
    <${LoadMore} list=${letters} /></div>`;
}
