// Tables: headings that are read and sort where that makes sense, rows that lead somewhere, and thousands of rows of which only the seen ones are drawn.
import { compare } from "./compare.js";
import { html, useEffect, useLayoutEffect, useMemo, useRef, useState } from "../preact.js";
import { t } from "../i18n.js";
import { go } from "../router.js";
import { Icon } from "./icon.js";
import { useScrollable } from "./scrollable.js";

/** From so many rows on, only those in sight are drawn. */
const WHOLE = 150;
/** Their height, which the style sheet holds them to; on a narrow screen there are two lines in a row. */
const ROW = 37;
const NARROW_ROW = 56;
/** Rows beyond the edge, so that scrolling shows no gap. */
const SPARE = 12;
/** What is drawn changes by so many rows at a time: in between, scrolling costs nothing. */
const STRIDE = 4;

const narrowly = matchMedia("(max-width: 40rem)");

/** Below so many pixels a table that is given as `cards` has no room for its columns. */
const ROOM = { narrow: 450, wide: 930 };

/** Whether there is no room, from the first drawing on; `there`: the table is drawn at all. */
function useCards(cards, frame, there) {
  const [tight, set] = useState(false);
  useLayoutEffect(() => {
    const element = frame.current;
    if (!cards || !element) return;
    const look = () => set(element.clientWidth < ROOM[cards]);
    look();
    const watcher = new ResizeObserver(look);
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [cards, there]);
  return tight;
}

/** The height of a row on this screen. */
function useRowHeight() {
  const [narrow, set] = useState(narrowly.matches);
  useEffect(() => {
    const change = () => set(narrowly.matches);
    narrowly.addEventListener("change", change);
    return () => narrowly.removeEventListener("change", change);
  }, []);
  return narrow ? NARROW_ROW : ROW;
}

const kind = (column) => [column.align === "end" ? "end" : "", column.narrow === false ? "not-narrow" : ""].join(" ").trim() || undefined;

function draw({ key, row, columns, index, href, selected, tone }) {
  const follow = (event) => {
    if (event.target.closest("a, button, input, label, select, summary") || getSelection()?.toString()) return;
    go(href);
  };
  return html`<tr key=${key} role="row" aria-rowindex=${index} class=${href ? "leads" : undefined} data-tone=${tone} aria-current=${selected ? "true" : undefined} onClick=${href ? follow : undefined}>
    ${columns.map((column) => html`<td key=${column.key} class=${kind(column)} role="cell" data-key=${column.key} data-title=${column.title}>${column.render ? column.render(row) : row[column.key]}</td>`)}</tr>`;
}

/**
 * Rows of a long table as they were drawn: what is given again as it was, Preact does not look into. They are elements rather than components, which Preact
 * would take out of the page and put back at every change of their list.
 */
function useDrawn() {
  const last = useRef(new Map());
  const next = new Map();
  useEffect(() => {
    last.current = next;
  });
  return (wanted) => {
    const known = last.current.get(wanted.key);
    const same = known && Object.keys(wanted).every((name) => known.wanted[name] === wanted[name]);
    const drawn = same ? known : { wanted, element: draw(wanted) };
    next.set(wanted.key, drawn);
    return drawn.element;
  };
}

/**
 * `caption` is read, and shown where `showCaption`. `columns`: `[{ key, title, render, sort, align, narrow, width }]`: `render(row)` gives the cell (else
 * `row[key]`), `sort(row)` the value to sort by (none: not sortable), `align: "end"` for numbers, `narrow: false` drops it on narrow screens.
 * `rowKey(row)`; `href(row)`: where a click on the row leads (the first cell holds a link of its own for the keyboard); `selected`: a row's key;
 * `empty`: shown where there are no rows; `sorted`: `{ key, down }` at the start; `onEnd`: called when the end of the rows comes into sight; `long`: there may
 * come to be thousands of rows, and the table looks the same with few (otherwise it is drawn whole up to 150 rows); `more`: there are rows that are not here yet;
 * `cards`: where there is no room for all columns each row stands as a card, its cells below their titles: `narrow` on a telephone, `wide` on a tablet, too. Roles are
 * written down, since elements that are laid out otherwise lose their own.
 * Of a long table's columns, pass the same array every time: rows are drawn anew when it changes.
 */
export function Table({ caption, showCaption = false, columns, rows, rowKey = (row) => row.id ?? row.name, href, selected, empty, sorted = null, onEnd, rowTone, long = false, more = false, cards }) {
  const [order, setOrder] = useState(sorted);
  const [first, setFirst] = useState(0);
  const [height, setHeight] = useState(600);
  const size = useRowHeight();
  const frame = useScrollable();
  const drawn = useDrawn();
  const ordered = useMemo(() => {
    const by = order && columns.find((column) => column.key === order.key)?.sort;
    if (!by) return rows;
    const result = [...rows].sort((one, other) => compare(by(one), by(other)));
    return order.down ? result.reverse() : result;
  }, [rows, order, columns]);

  const windowed = long || ordered.length > WHOLE;
  const there = rows.length > 0;
  const tight = useCards(windowed ? undefined : cards, frame, there);
  useEffect(() => {
    const element = frame.current;
    if (!element || !windowed) return;
    const watcher = new ResizeObserver(() => setHeight(element.clientHeight || 600));
    watcher.observe(element);
    return () => watcher.disconnect();
  }, [windowed, there]);
  const from = windowed ? Math.max(0, Math.min(first, ordered.length - 1) - SPARE) : 0;
  const to = windowed ? Math.min(ordered.length, first + Math.ceil(height / size) + STRIDE + SPARE) : ordered.length;
  const scroll = (event) => {
    const element = event.currentTarget;
    const { scrollTop } = element;
    if (windowed) setFirst(Math.floor(scrollTop / size / STRIDE) * STRIDE);
    if (onEnd && scrollTop + height > ordered.length * size - 10 * size) onEnd();
  };

  // Who was on a row that is not drawn any more stays in the table: the focus would be lost, and with it the place of who uses the keyboard.
  const focused = useRef(null);
  useLayoutEffect(() => {
    if (!windowed || !focused.current || focused.current.isConnected) return;
    focused.current = null;
    if (document.activeElement === document.body) frame.current?.focus({ preventScroll: true });
  });
  const left = ({ target }) => queueMicrotask(() => {
    // What goes with its row is no longer there by now; whoever went elsewhere has left the table.
    if (target.isConnected && focused.current === target) focused.current = null;
  });

  if (!there && empty !== undefined) return empty;
  const turn = (column) => setOrder((old) => (old?.key === column.key ? { key: column.key, down: !old.down } : { key: column.key, down: false }));
  const spacer = (key, count) => count > 0 && html`<tr class="spacer" aria-hidden="true" key=${key}><td colspan=${columns.length} style=${{ blockSize: `${count * size}px` }}></td></tr>`;
  return html`<div class=${`table-frame ${windowed ? "windowed" : tight ? "cards" : ""}`} ref=${frame} role="group" aria-label=${caption} onScroll=${windowed || onEnd ? scroll : undefined}
    onfocusin=${windowed ? ({ target }) => (focused.current = target) : undefined} onfocusout=${windowed ? left : undefined}>
    <table role="table" aria-rowcount=${windowed ? (more ? -1 : ordered.length + 1) : undefined}>
      <caption class=${showCaption ? "" : "unseen"}>${caption}</caption>
      <thead role="rowgroup"><tr role="row" aria-rowindex=${windowed ? 1 : undefined}>${columns.map((column) => html`<th scope="col" role="columnheader" data-key=${column.key} key=${column.key} class=${kind(column)}
        style=${column.width ? { inlineSize: column.width } : undefined}
        aria-sort=${order?.key === column.key ? (order.down ? "descending" : "ascending") : undefined}>
        ${column.sort ? html`<button type="button" class="sort" onClick=${() => turn(column)} title=${t("common.sort-by", { column: column.title })}>${column.title}
          <${Icon} name=${order?.key === column.key ? (order.down ? "down" : "up") : "sort"} size="12" /></button>` : column.title}</th>`)}</tr></thead>
      <tbody role="rowgroup">
        ${spacer("above", from)}
        ${ordered.slice(from, to).map((row, at) => {
          const key = rowKey(row);
          const index = windowed ? from + at + 2 : undefined;
          const wanted = { key, row, columns, index, href: href?.(row), tone: rowTone?.(row), selected: selected !== undefined && selected === key };
          return long ? drawn(wanted) : draw(wanted);
        })}
        ${spacer("below", ordered.length - to)}
      </tbody>
    </table>
  </div>`;
}
