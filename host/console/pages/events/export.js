// What is shown, as a file: JSON as the API gives it, or a table of it (CSV, RFC 4180).
import { html } from "../../preact.js";
import { t } from "../../i18n.js";
import { Button, toast } from "../../parts/index.js";

/** A cell. What a spreadsheet would take for a formula is told to be text: events are written by others. */
function cell(value) {
  const text = value === null || value === undefined ? "" : String(value);
  const safe = /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export function csvOf(rows) {
  const names = ["eid", "id", "type", "source", "subject", "status", "status_reason", "routes", "received_at"];
  const lines = rows.map((row) => [row.eid, row.event.id, row.event.type, row.event.source, row.event.subject, row.status, row.status_reason,
    [...new Set(row.runs.map((run) => run.route))].join(" "), row.received_at]);
  return [names, ...lines].map((line) => line.map(cell).join(",")).join("\r\n");
}

/** Gives text to the browser as a file. */
export function save(name, type, text) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([text], { type }));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
}

export function Exports({ rows }) {
  const why = rows.length === 0 ? t("events.nothing-to-save") : undefined;
  const day = new Date().toISOString().slice(0, 10);
  const done = (name, type, text) => {
    save(name, type, text);
    toast(t("events.saved", { n: rows.length }));
  };
  return html`<${Button} why=${why} title=${t("events.save-hint")} onClick=${() => done(`events-${day}.csv`, "text/csv;charset=utf-8", csvOf(rows))}>${t("events.save-csv")}<//>
    <${Button} why=${why} title=${t("events.save-hint")} onClick=${() => done(`events-${day}.json`, "application/json", JSON.stringify({ events: rows }, null, 2))}>${t("events.save-json")}<//>`;
}
