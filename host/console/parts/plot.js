// Plots that update (uPlot), each with the same figures as a table for who does not see it.
import { html, useEffect, useLayoutEffect, useRef, useState } from "../preact.js";
import { clock, language, minute, number, t } from "../i18n.js";
import { Signal, useSignal } from "../signal.js";
import uPlot from "../vendor/uplot/dist/uPlot.esm.js";

/** Rows of the table beside a plot. */
const ROWS = 30;

/** Counts up when the colours change: a canvas is drawn anew then. */
const colours = new Signal(0);
const changed = () => {
  colours.value += 1;
};
addEventListener("sangam-theme", changed);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed);

/** What a colour of the style sheet is now, as the canvas takes it. */
function resolved(element, name) {
  const probe = document.createElement("span");
  probe.style.color = `var(--${name})`;
  element.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}

/** Values without a neighbour: no line leads to them, so that they are drawn as points. */
function lone(plot, series) {
  const values = plot.data[series];
  return [...values.keys()].filter((index) => (values[index] ?? null) !== null && (values[index - 1] ?? null) === null && (values[index + 1] ?? null) === null);
}

/**
 * `title`; `at`: times in ms; `series`: `[{ label, colour: "ok", values, dash, fill }]` with one value (or null) a time; `format(value)` writes one;
 * `summary`: a sentence that says what is to be seen.
 */
export function Plot({ title, at, series, format = number, summary, height = 150 }) {
  const frame = useRef(null);
  const plot = useRef(null);
  const [under, setUnder] = useState(null);
  const shade = useSignal(colours);
  const names = series.map((one) => one.label).join("\n");
  const latest = useRef({ format });
  latest.current = { format };

  useLayoutEffect(() => {
    const element = frame.current;
    const [line, text] = [resolved(element, "line"), resolved(element, "muted")];
    const font = `11px ${getComputedStyle(element).fontFamily}`;
    const axis = { stroke: text, font, grid: { stroke: line, width: 1 }, ticks: { stroke: line, width: 1, size: 4 } };
    const made = new uPlot(
      {
        width: Math.max(120, element.clientWidth),
        height,
        ms: 1,
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 } },
        scales: { x: { time: true }, y: { range: (_, __, most) => [0, most > 0 ? most * 1.1 : 1] } },
        axes: [
          { ...axis, space: 70, size: 24, values: (_, splits) => splits.map(minute) },
          { ...axis, size: 52, gap: 4, space: 30, values: (_, splits) => splits.map((split) => latest.current.format(split)) },
        ],
        series: [{}, ...series.map((one) => ({ label: one.label, stroke: resolved(element, one.colour), width: 2, dash: one.dash, points: { show: true, size: 5, filter: lone },
          fill: one.fill ? resolved(element, `${one.colour}-soft`) : undefined }))],
        hooks: { setCursor: [(u) => setUnder(u.cursor.idx ?? null)] },
      },
      [at, ...series.map((one) => one.values)],
      element,
    );
    plot.current = made;
    const watcher = new ResizeObserver(() => {
      if (element.clientWidth > 0 && element.clientWidth !== made.width) made.setSize({ width: element.clientWidth, height });
    });
    watcher.observe(element);
    return () => {
      watcher.disconnect();
      made.destroy();
      plot.current = null;
    };
  }, [names, shade, height, language.value]);
  useEffect(() => {
    plot.current?.setData([at, ...series.map((one) => one.values)]);
  }, [at, series]);

  const shown = under !== null && under < at.length ? under : at.length - 1;
  const rows = at.map((time, index) => index).slice(-ROWS).reverse();
  return html`<figure class="plot card">
    <figcaption><h3>${title}</h3>
      <ul class="legend">${series.map((one) => html`<li key=${one.label}><span class=${one.dash ? "key dashed" : "key"} style=${{ borderColor: `var(--${one.colour})` }}></span>
        ${one.label} <strong class="number">${shown >= 0 ? format(one.values[shown]) : "–"}</strong></li>`)}
        ${under !== null && under < at.length && html`<li class="faint">${clock(at[under])}</li>`}</ul>
    </figcaption>
    <div class="plot-frame" ref=${frame} role="img" aria-label=${summary ?? title}></div>
    <details><summary>${t("common.as-table")}</summary>
      <div class="plot-table" tabindex="0" role="group" aria-label=${title}><table><caption class="unseen">${title}</caption><thead><tr><th scope="col">${t("common.time")}</th>
        ${series.map((one) => html`<th scope="col" class="end" key=${one.label}>${one.label}</th>`)}</tr></thead>
        <tbody>${rows.map((index) => html`<tr key=${at[index]}><th scope="row">${clock(at[index])}</th>
          ${series.map((one) => html`<td class="end" key=${one.label}>${format(one.values[index])}</td>`)}</tr>`)}</tbody></table></div>
    </details>
  </figure>`;
}
