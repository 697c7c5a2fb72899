// Code, and what copies text.
import { html } from "../preact.js";
import { t } from "../i18n.js";
import { plainLines } from "../text.js";
import { Button } from "./button.js";
import { useScrollable } from "./scrollable.js";
import { toast } from "./toast.js";

/** Copies `text`. `label`: what is copied, for those who don't see what stands beside it. */
export function Copy({ text, label, children }) {
  const copy = async () => {
    try {
      await navigator.clipboard.writeText(text);
      toast(t("common.copied"));
    } catch {
      toast(t("common.not-copied"), { kind: "bad" });
    }
  };
  return html`<${Button} kind="quiet" small icon="copy" label=${children ? undefined : label ?? t("common.copy")} onClick=${copy}>${children}<//>`;
}

/** Code as a block that scrolls, with lines counted from `from` where it is given and `mark` (a line) shown, with a button that copies. */
export function Code({ text, label, from, mark }) {
  const block = useScrollable();
  const lines = plainLines(text).split("\n");
  return html`<div class="code-block">
    <${Copy} text=${text} label=${t("common.copy")} />
    <pre ref=${block} role="group" aria-label=${label ?? t("common.code")}><code>${from === undefined ? lines.join("\n")
      : lines.map((line, index) => html`<span class=${from + index === mark ? "line marked" : "line"} data-number=${from + index}>${line}${"\n"}</span>`)}</code></pre>
  </div>`;
}
