// Tables: headings that are read and sort where that makes sense, rows that lead somewhere, and thousands of rows of which only the seen ones are drawn.
import { html, useEffect, useMemo, useState } from "../preact.js";
import { t } from "../i18n.js";
import { go } from "../router.js";
import { Icon } from "./icon.js";
import { useScrollable } from "./scrollable.js";

/** From so many rows on, only those in sight are drawn. */
const WHOLE = 150;
/** Their height, which the style sheet holds them to. */
const ROW = 37;
/** Rows beyond the edge, so that scrolling shows no gap. */
const SPARE = 15;

const compare = (one, other) => {
  if (one === other) return 0;
  if (one === null || one === undefined) return 1;
  if (other === null || other === undefined) return -1;
  return typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other));
};

/**
 * `caption` is read, and shown where `showCaption`. `columns`: `[{ key, title, render, sort, align, narrow, width }]`: `render(row)` gives the cell (else
 * `row[key]`), `sort(row)` the value to sort by (none: not sortable), `align: "end"` for numbers, `narrow: false` drops it on narrow screens.
 * `rowKey(row)`; `href(row)`: where a click on the row leads (the first cell holds a link of its own for the keyboard); `selected`: a row's key;
 * `empty`: shown where there are no rows; `sorted`: `{ key, down }` at the start; `onEnd`: called when the end of the rows comes into sight.
 */
export function Table({ caption, showCaption = false, columns, rows, rowKey = (row) => row.id ?? row.name, href, selected, empty, sorted = null, onEnd, rowTone }) {
  const [order, setOrder] = useState(sorted);
  const [top, setTop] = useState(0);
  const [height, setHeight] = useState(600);
  const frame = useScrollable();
  const ordered = useMemo(() => {
    const by = order && columns.find((column) => column.key === order.key)?.sort;
    if (!by) return rows;
    const result = [...rows].sort((one, other) => compare(by(one), by(other)));
    return order.down ? result.reverse() : result;
  }, [rows, order, columns]);

  const windowed = ordered.length > WHOLE;
  useEffect(() => {
    const element = frame.current;
    if (!element || !windowed) return;
    const measure = () => setHeight(element.clientHeight || 600);
    measure();
    const watcher = new ResizeObserver(measure);
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [windowed]);
  const first = windowed ? Math.max(0, Math.floor(top / ROW) - SPARE) : 0;
  const last = windowed ? Math.min(ordered.length, Math.ceil((top + height) / ROW) + SPARE) : ordered.length;
  const scroll = (event) => {
    const element = event.currentTarget;
    if (windowed) setTop(element.scrollTop);
    if (onEnd && element.scrollTop + element.clientHeight > element.scrollHeight - 10 * ROW) onEnd();
  };

  if (rows.length === 0 && empty !== undefined) return empty;
  const turn = (column) => setOrder((old) => (old?.key === column.key ? { key: column.key, down: !old.down } : { key: column.key, down: false }));
  const kind = (column) => [column.align === "end" ? "end" : "", column.narrow === false ? "not-narrow" : ""].join(" ").trim() || undefined;
  const follow = (event, row) => {
    if (event.target.closest("a, button, input, label, select, summary") || getSelection()?.toString()) return;
    go(href(row));
  };
  return html`<div class=${windowed ? "table-frame windowed" : "table-frame"} ref=${frame} role="group" aria-label=${caption} onScroll=${scroll}>
    <table aria-rowcount=${windowed ? ordered.length + 1 : undefined}>
      <caption class=${showCaption ? "" : "unseen"}>${caption}</caption>
      <thead><tr aria-rowindex=${windowed ? 1 : undefined}>${columns.map((column) => html`<th scope="col" key=${column.key} class=${kind(column)}
        style=${column.width ? { inlineSize: column.width } : undefined}
        aria-sort=${order?.key === column.key ? (order.down ? "descending" : "ascending") : undefined}>
        ${column.sort ? html`<button type="button" class="sort" onClick=${() => turn(column)} title=${t("common.sort-by", { column: column.title })}>${column.title}
          <${Icon} name=${order?.key === column.key ? (order.down ? "down" : "up") : "sort"} size="12" /></button>` : column.title}</th>`)}</tr></thead>
      <tbody>
        ${first > 0 && html`<tr class="spacer" aria-hidden="true" key="above"><td colspan=${columns.length} style=${{ blockSize: `${first * ROW}px` }}></td></tr>`}
        ${ordered.slice(first, last).map((row, index) => {
          const key = rowKey(row);
          return html`<tr key=${key} aria-rowindex=${windowed ? first + index + 2 : undefined} class=${href ? "leads" : undefined} data-tone=${rowTone?.(row)}
            aria-current=${selected !== undefined && selected === key ? "true" : undefined} onClick=${href ? (event) => follow(event, row) : undefined}>
            ${columns.map((column) => html`<td key=${column.key} class=${kind(column)}>${column.render ? column.render(row) : row[column.key]}</td>`)}</tr>`;
        })}
        ${last < ordered.length && html`<tr class="spacer" aria-hidden="true" key="below"><td colspan=${columns.length} style=${{ blockSize: `${(ordered.length - last) * ROW}px` }}></td></tr>`}
      </tbody>
    </table>
  </div>`;
}
