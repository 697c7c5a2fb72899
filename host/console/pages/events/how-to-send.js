// No event has come in yet: how one is sent.
import { html } from "../../preact.js";
import { t } from "../../i18n.js";
import { Code } from "../../parts/index.js";

const EXAMPLE = { specversion: "1.0", type: "hello.said", source: "/try", id: "1", data: { text: "hello" } };

/** A word for a shell. */
export const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

/** The request that sends an event to this host. */
export function curlToSend(event) {
  return `curl -X POST ${quoted(`${location.origin}/v1/events`)} \\\n  -H "authorization: Bearer $SANGAM_TOKEN" \\\n  -H 'content-type: application/cloudevents+json' \\\n  -d ${quoted(JSON.stringify(event))}`;
}

export function HowToSend() {
  return html`<div class="how-to-send"><p>${t("events.none-how")}</p><${Code} label="curl" text=${curlToSend(EXAMPLE)} /><p>${t("events.none-then")}</p></div>`;
}
