// Fields of forms and filters: each with a label, a hint and what is wrong with it.
import { html, useRef } from "../preact.js";

let ids = 0;

/** `label`, `hint`, `error`; `children`: a function that gets the properties of the control (`id`, `aria-describedby`, `aria-invalid`). */
export function Field({ label, hint, error, children, hideLabel = false }) {
  const id = useRef(`field-${++ids}`).current;
  const about = [hint && `${id}-hint`, error && `${id}-error`].filter(Boolean).join(" ") || undefined;
  return html`<div class="field">
    <label for=${id} class=${hideLabel ? "unseen" : ""}>${label}</label>
    ${children({ id, "aria-describedby": about, "aria-invalid": error ? "true" : undefined })}
    ${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
    ${error && html`<p class="error" id=${`${id}-error`}>${error}</p>`}
  </div>`;
}

/** One line. `onInput` gets the text. Everything else is the input's own: `type`, `required`, `autocomplete`, `list`, `placeholder`. */
export function Input({ label, hint, error, hideLabel, value, onInput, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} hideLabel=${hideLabel}>${(control) =>
    html`<input type="text" spellcheck=${false} ...${rest} ...${control} value=${value ?? ""} onInput=${(event) => onInput?.(event.target.value)} />`}<//>`;
}

/** Several lines; `code`: in the typeface of code. */
export function TextArea({ label, hint, error, hideLabel, value, onInput, code = false, rows = 8, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} hideLabel=${hideLabel}>${(control) =>
    html`<textarea spellcheck=${false} ...${rest} ...${control} rows=${rows} class=${code ? "code" : ""} value=${value ?? ""}
      onInput=${(event) => onInput?.(event.target.value)}></textarea>`}<//>`;
}

/** `options`: `[{ value, label }]`. `onChange` gets the value. */
export function Select({ label, hint, error, hideLabel, value, onChange, options, ...rest }) {
  return html`<${Field} label=${label} hint=${hint} error=${error} hideLabel=${hideLabel}>${(control) =>
    html`<select ...${rest} ...${control} value=${value ?? ""} onChange=${(event) => onChange(event.target.value)}>
      ${options.map((option) => html`<option value=${option.value} selected=${option.value === (value ?? "")} lang=${option.lang}>${option.label}</option>`)}
    </select>`}<//>`;
}

/** `onChange` gets whether it is on. */
export function Checkbox({ label, checked, onChange, hint, ...rest }) {
  const id = useRef(`field-${++ids}`).current;
  return html`<div class="checkbox">
    <input ...${rest} type="checkbox" id=${id} checked=${checked} aria-describedby=${hint ? `${id}-hint` : undefined}
      onChange=${(event) => onChange(event.target.checked)} />
    <label for=${id}>${label}</label>${hint && html`<p class="hint" id=${`${id}-hint`}>${hint}</p>`}
  </div>`;
}
