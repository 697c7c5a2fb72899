// Reading the configuration anew: what is wrong with it is shown with its place, and the present one stays. What is only odd stands apart.
import { html, useState } from "../preact.js";
import { post } from "../api.js";
import { t } from "../i18n.js";
import { Button } from "./button.js";
import { Icon } from "./icon.js";
import { Problem } from "./problem.js";
import { Table } from "./table.js";
import { Text } from "./text.js";
import { toast } from "./toast.js";

/** Places of a text with what is to be said of them. */
function Places({ rows, caption, what = t("routes.what-is-wrong") }) {
  return html`<${Table} caption=${caption} rows=${rows} rowKey=${(row) => `${row.line}:${row.column}:${row.message}`} columns=${[
    { key: "place", title: t("routes.place"), render: (row) => html`<code class="nowrap">${row.line}:${row.column}</code>` },
    { key: "message", title: what, render: (row) => html`<${Text} value=${row.message} lines />${row.help && html`<p class="faint small"><${Text} value=${row.help} lines /></p>`}` },
  ]} />`;
}

/** What is allowed in a text but probably not meant, by line and column. */
export function Warnings({ warnings }) {
  if (!warnings?.length) return null;
  return html`<div class="stack tight"><p class="row"><${Icon} name="warn" size="12" /> <strong>${t("routes.warnings")}</strong></p><${Places} rows=${warnings} caption=${t("routes.warnings")} what=${t("routes.what-is-odd")} /></div>`;
}

/** Why a text can't be used, by line and column, and below it what is only odd. `title(n)`: what is said of so many mistakes. */
export function Mistakes({ problems, title, children }) {
  const errors = problems.filter((problem) => problem.severity !== "warning");
  return html`<div class="problem" role="alert"><p class="problem-title"><${Icon} name="warn" /><strong>${title(errors.length)}</strong></p>
    ${children}
    <${Places} rows=${errors} caption=${title(errors.length)} />
    <${Warnings} warnings=${problems.filter((problem) => problem.severity === "warning")} /></div>`;
}

/** `{ button, outcome }`: the button for the head of a page, and what it found for its body. `onApplied` reads the page anew. */
export function useReload(onApplied) {
  const [found, setFound] = useState({ problem: null, applied: null });
  const close = () => setFound({ problem: null, applied: null });
  const reload = async () => {
    try {
      const applied = await post("/v1/reload");
      setFound({ problem: null, applied });
      toast(t("routes.applied", { n: applied.revision }));
      onApplied?.();
    } catch (problem) {
      setFound({ problem, applied: null });
    }
  };
  const outcome = () => {
    const { problem, applied } = found;
    const again = html`<${Button} small onClick=${close}>${t("common.close")}<//>`;
    if (problem?.document?.problems?.length) {
      return html`<${Mistakes} problems=${problem.document.problems} title=${(n) => t("routes.refused", { n })}><p>${t("routes.present-stays")}</p>${again}<//>`;
    }
    if (problem) return html`<${Problem} problem=${problem} />`;
    if (!applied?.warnings.length) return null;
    return html`<div class="notice stack tight" data-tone="warn" role="status"><p>${t("routes.applied", { n: applied.revision })}</p><${Warnings} warnings=${applied.warnings} /><div>${again}</div></div>`;
  };
  return { button: html`<${Button} icon="replay" needs="administer" onClick=${reload}>${t("routes.reload")}<//>`, outcome: outcome() };
}
