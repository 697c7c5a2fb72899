// Reading the configuration anew: what is wrong with it is shown with its place, and the present one stays.
import { html, useState } from "../preact.js";
import { post } from "../api.js";
import { t } from "../i18n.js";
import { Button } from "./button.js";
import { Problem } from "./problem.js";
import { Table } from "./table.js";
import { Text } from "./text.js";
import { toast } from "./toast.js";

/** What was wrong with a text, by line and column. */
export function Mistakes({ problems, caption }) {
  return html`<${Table} caption=${caption} rows=${problems} rowKey=${(row) => `${row.line}:${row.column}:${row.message}`} columns=${[
    { key: "place", title: t("routes.place"), render: (row) => html`<code class="nowrap">${row.line}:${row.column}</code>` },
    { key: "message", title: t("routes.what-is-wrong"), render: (row) => html`<${Text} value=${row.message} lines />${row.help && html`<p class="faint small"><${Text} value=${row.help} lines /></p>`}` },
  ]} />`;
}

/** `{ button, outcome }`: the button for the head of a page, and what it found for its body. `onApplied` reads the page anew. */
export function useReload(onApplied) {
  const [problem, setProblem] = useState(null);
  const reload = async () => {
    try {
      const { revision } = await post("/v1/reload");
      setProblem(null);
      toast(t("routes.applied", { n: revision }));
      onApplied?.();
    } catch (found) {
      setProblem(found);
    }
  };
  const list = problem?.document?.problems;
  return {
    button: html`<${Button} icon="replay" needs="administer" onClick=${reload}>${t("routes.reload")}<//>`,
    outcome: problem && (list ? html`<div class="problem" role="alert"><p class="problem-title"><strong>${t("routes.refused", { n: list.length })}</strong></p>
      <p>${t("routes.present-stays")}</p><${Mistakes} problems=${list} caption=${t("routes.refused", { n: list.length })} />
      <${Button} small onClick=${() => setProblem(null)}>${t("common.close")}<//></div>` : html`<${Problem} problem=${problem} />`),
  };
}
