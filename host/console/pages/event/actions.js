// What a person can do about an event: replay it, cancel its runs, erase it, pass on a link.
import { html, useState } from "../../preact.js";
import { get, post } from "../../api.js";
import { t } from "../../i18n.js";
import { ask, Button, Checkbox, Copy, toast } from "../../parts/index.js";
import { isOver } from "./lines.js";
import { ReplayDialog } from "./replay.js";

/** How often and for how long the end of an erasure is waited for. */
const ERASURE_EVERY = 1_000;
const ERASURE_LONGEST = 60_000;

export function Actions({ data, query, reload }) {
  const [replaying, setReplaying] = useState(false);
  const unfinished = data.runs.filter((run) => !isOver(run)).length;
  const released = data.runs.some((run) => run.keeps_key);
  const cancel = () => ask({
    title: t("events.cancel-title"), text: unfinished > 0 ? t("events.cancel-text", { n: unfinished }) : t("events.cancel-release"), confirm: t("events.cancel-confirm"), danger: true,
    act: async () => {
      const answer = await post(`/v1/events/${encodeURIComponent(data.eid)}/cancel`);
      toast(t("events.cancelled", { n: answer.cancelled.length }));
      await reload();
    },
  });
  const noReplay = data.runs.length === 0 ? t("events.replay-none") : data.erased_at ? t("events.replay-erased") : undefined;
  return html`<${Button} kind="primary" icon="replay" needs="operate" why=${noReplay} onClick=${() => setReplaying(true)}>${t("events.replay")}<//>
    ${(unfinished > 0 || released) && html`<${Button} icon="bad" needs="operate" onClick=${cancel}>${t("events.cancel")}<//>`}
    ${!data.erased_at && html`<${Button} needs="administer" icon="erase" onClick=${() => erase(data, unfinished, reload)}>${t("events.erase")}<//>`}
    <${Copy} text=${location.href}>${t("events.copy-link")}<//>
    <${ReplayDialog} open=${replaying} onClose=${() => setReplaying(false)} data=${data} query=${query} reload=${reload} />`;
}

/** Asks, and follows the erasure to its end. */
function erase(data, unfinished, reload) {
  const wish = { cancel: false };
  return ask({
    title: t("events.erase-title"), text: t("events.erase-text"), confirm: t("events.erase-confirm"), danger: true,
    details: unfinished > 0 ? html`<${CancelToo} wish=${wish} />` : null,
    act: async () => {
      const { erasure } = await post(`/v1/events/${encodeURIComponent(data.eid)}/erase`, wish.cancel ? { cancel: true } : {});
      const until = Date.now() + ERASURE_LONGEST;
      for (;;) {
        const state = await get(`/v1/data/erasures/${encodeURIComponent(erasure)}`);
        if (state.finished_at) {
          toast(t("events.erase-done", { n: state.places ?? 0 }));
          break;
        }
        if (Date.now() > until || state.waits_for?.length > 0) {
          toast(t("events.erase-waits"), { kind: "info" });
          break;
        }
        await new Promise((resolve) => setTimeout(resolve, ERASURE_EVERY));
      }
      await reload();
    },
  });
}

function CancelToo({ wish }) {
  const [on, set] = useState(false);
  return html`<${Checkbox} label=${t("events.erase-cancel")} hint=${t("events.erase-cancel-hint")} checked=${on} onChange=${(value) => { wish.cancel = value; set(value); }} />`;
}
