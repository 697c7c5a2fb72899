// What happened in which order, and how long it took.
import { html } from "../preact.js";
import { Status } from "./status.js";
import { Duration, RelativeTime } from "./time.js";

/**
 * `items`: `[{ key, state, label, title, at, duration_ms, content, from_ms, tone }]`. `state` and `label` are those of `Status`; `title` and `content` are
 * elements. Where `span_ms` is given, each item with `from_ms` and `duration_ms` has a bar that shows where in that span it lay.
 */
export function Timeline({ items, label, span_ms: span }) {
  return html`<ol class="timeline" aria-label=${label}>
    ${items.map((item) => html`<li key=${item.key} data-tone=${item.tone}>
      <div class="timeline-head"><${Status} state=${item.state} label=${item.label} tone=${item.tone} /><span class="timeline-title">${item.title}</span>
        ${item.at && html`<${RelativeTime} at=${item.at} />`}${item.duration_ms !== undefined && item.duration_ms !== null && html`<${Duration} ms=${item.duration_ms} />`}</div>
      ${span > 0 && item.from_ms !== undefined && html`<div class="span" aria-hidden="true"><div style=${{
        marginInlineStart: `${Math.min(99, (item.from_ms / span) * 100)}%`,
        inlineSize: `${Math.max(0.5, Math.min(100 - Math.min(99, (item.from_ms / span) * 100), ((item.duration_ms ?? 0) / span) * 100))}%`,
      }}></div></div>`}
      ${item.content && html`<div class="timeline-content">${item.content}</div>`}
    </li>`)}
  </ol>`;
}
