// Why something failed: its kind, its reason in the words of whoever said it, its details.
import { html } from "../../preact.js";
import { t } from "../../i18n.js";
import { JsonView, Status, Text } from "../../parts/index.js";

export function ErrorBox({ error }) {
  const details = error.details !== null && error.details !== undefined && Object.keys(Object(error.details)).length > 0;
  return html`<div class="step-error"><${Status} state=${error.kind} /> <span class="step-reason"><${Text} value=${error.reason} lines /></span>
    ${error.kind === "unauthorized" && html`<p class="small"><a href="/credentials">${t("events.to-credentials")}</a></p>`}
    ${details && html`<details><summary>${t("events.details")}</summary><${JsonView} value=${error.details} label=${t("events.details")} open=${3} /></details>`}</div>`;
}
