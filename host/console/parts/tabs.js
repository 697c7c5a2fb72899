// Tabs, by the keyboard as the ARIA practices have them: arrows move, Home and End go to the ends.
import { html, useRef } from "../preact.js";

let ids = 0;

/** `tabs`: `[{ id, title, content }]` (content: a function); `value`: the id of the one that is shown; `onChange` gets an id; `label` is read. */
export function Tabs({ tabs, value, onChange, label }) {
  const own = useRef(`tabs-${++ids}`).current;
  const bar = useRef(null);
  const shown = tabs.find((tab) => tab.id === value) ?? tabs[0];
  const key = (event) => {
    const at = tabs.indexOf(shown);
    const forward = getComputedStyle(bar.current).direction === "rtl" ? "ArrowLeft" : "ArrowRight";
    const backward = forward === "ArrowRight" ? "ArrowLeft" : "ArrowRight";
    const next = { [forward]: (at + 1) % tabs.length, [backward]: (at - 1 + tabs.length) % tabs.length, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    onChange(tabs[next].id);
    bar.current.children[next].focus();
  };
  return html`<div class="tabs">
    <div role="tablist" aria-label=${label} ref=${bar} onKeyDown=${key}>
      ${tabs.map((tab) => html`<button type="button" role="tab" key=${tab.id} id=${`${own}-${tab.id}`} aria-controls=${`${own}-panel`}
        aria-selected=${tab === shown ? "true" : "false"} tabindex=${tab === shown ? 0 : -1} onClick=${() => onChange(tab.id)}>${tab.title}</button>`)}
    </div>
    <div role="tabpanel" id=${`${own}-panel`} aria-labelledby=${`${own}-${shown.id}`} tabindex="0">${shown.content()}</div>
  </div>`;
}
