// Dialogs: the browser's own, which keeps the focus inside and gives it back.
import { html, useEffect, useRef } from "../preact.js";
import { Signal, useSignal } from "../signal.js";
import { t } from "../i18n.js";
import { Button } from "./button.js";
import { toast } from "./toast.js";

let ids = 0;

/** `open`, `title`, `onClose`, `actions` (buttons), `wide`. */
export function Dialog({ open, title, onClose, actions, children, wide = false }) {
  const dialog = useRef(null);
  const id = useRef(`dialog-${++ids}`);
  useEffect(() => {
    const element = dialog.current;
    if (!element) return;
    if (open && !element.open) element.showModal();
    if (!open && element.open) element.close();
  }, [open]);
  if (!open) return html`<dialog ref=${dialog}></dialog>`;
  return html`<dialog ref=${dialog} class=${wide ? "dialog wide" : "dialog"} aria-labelledby=${id.current} onClose=${onClose}
    onCancel=${(event) => (event.preventDefault(), onClose())}>
    <header><h2 id=${id.current}>${title}</h2><${Button} kind="quiet" icon="bad" label=${t("common.close")} onClick=${onClose} /></header>
    <div class="dialog-body">${children}</div>
    ${actions && html`<footer>${actions}</footer>`}
  </dialog>`;
}

const asked = new Signal(null);

/**
 * Asks before something that can't be taken back: gives a promise of whether it was confirmed. `title`, `text`, `confirm` (the word on the button),
 * `danger`, `details` (elements). `act`: an async function; the dialog stays busy until it has ended, and open when it fails.
 */
export function ask({ title, text, confirm, danger = false, details = null, act = null }) {
  return new Promise((resolve) => {
    asked.value = { title, text, confirm, danger, details, act, resolve };
  });
}

/** Stands once in the frame. */
export function Confirmations() {
  const question = useSignal(asked);
  const end = (answer) => {
    question.resolve(answer);
    asked.value = null;
  };
  const yes = async () => {
    try {
      await question.act?.();
    } catch (problem) {
      toast(problem.message, { kind: "bad" });
      return;
    }
    end(true);
  };
  return html`<${Dialog} open=${question !== null} title=${question?.title} onClose=${() => question && end(false)}
    actions=${question && html`<${Button} onClick=${() => end(false)}>${t("common.cancel")}<//>
      <${Button} kind=${question.danger ? "danger" : "primary"} onClick=${yes}>${question.confirm ?? t("common.confirm")}<//>`}>
    ${question?.text && html`<p>${question.text}</p>`}${question?.details}
  <//>`;
}
