// The event document as the API gives it, and the requests that give and send it.
import { html } from "../../preact.js";
import { t } from "../../i18n.js";
import { Button, Code, JsonView, Section } from "../../parts/index.js";
import { save } from "../events/export.js";
import { curlToSend, quoted } from "../events/how-to-send.js";

export function Raw({ data }) {
  const read = `curl ${quoted(`${location.origin}/v1/events/${data.eid}`)} \\\n  -H "authorization: Bearer $SANGAM_TOKEN"`;
  return html`<div class="stack">
    <${Section} title=${t("events.document")} actions=${html`<${Button} small onClick=${() => save(`event-${data.eid}.json`, "application/json", JSON.stringify(data, null, 2))}>${t("events.save-json")}<//>`}>
      <${JsonView} value=${data} label=${t("events.document")} open=${2} /><//>
    <${Section} title=${t("events.curl-read")}><${Code} label=${t("events.curl-read")} text=${read} /><//>
    <${Section} title=${t("events.curl-send")}><p>${t("events.curl-send-why")}</p><${Code} label=${t("events.curl-send")} text=${curlToSend(data.event)} /><//>
  </div>`;
}
