// Dead letters replayed together: asked before, page by page, with how far it has come.
import { html } from "../preact.js";
import { post } from "../api.js";
import { t } from "../i18n.js";
import { Signal, useSignal } from "../signal.js";
import { ask } from "./dialog.js";
import { Progress } from "./pager.js";
import { toast } from "./toast.js";

/** Letters of one request: few enough for the bar to move. */
const PAGE = 200;

function Bar({ done, total }) {
  const n = useSignal(done);
  return n === null ? null : html`<${Progress} label=${t("common.replaying")} value=${Math.min(n, total)} max=${total} />`;
}

/**
 * Asks, then replays the dead letters that `filters` find (`total` of them, for the bar), each once. Gives whether it was confirmed.
 */
export async function replayAll(filters, total) {
  const done = new Signal(null);
  let [replayed, refused] = [0, 0];
  const act = async () => {
    done.value = 0;
    for (const filter of filters) {
      let cursor = null;
      do {
        const answer = await post("/v1/dead-letters/replay", { ...filter, limit: PAGE, ...(cursor ? { cursor } : {}) });
        replayed += answer.replays.length;
        refused += answer.refused.length;
        done.value = replayed + refused;
        cursor = answer.next_cursor;
      } while (cursor);
    }
  };
  const confirmed = await ask({
    title: t("common.replay-title", { n: total }), text: t("common.replay-text"), confirm: t("common.replay-confirm"), details: html`<${Bar} done=${done} total=${total} />`, act,
  });
  if (confirmed) {
    toast(refused > 0 ? t("common.replayed-refused", { n: replayed, refused }) : t("common.replayed", { n: replayed }), { kind: refused > 0 ? "bad" : "ok" });
  }
  return confirmed;
}
