// The steps of a route as a small graph: each stands behind those it needs. A table beside it says the same in words.
import { html } from "../preact.js";
import { t } from "../i18n.js";
import { plain } from "../text.js";
import { useScrollable } from "./scrollable.js";

const WIDTH = 176;
const HEIGHT = 52;
const ACROSS = 48;
const BETWEEN = 16;
/** Letters that fit into a box. */
const LETTERS = 22;

const short = (text) => (text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text);

/** `[{ step, x, y }]`: the column of a step is one behind the last that it needs. */
export function placed(steps) {
  const columns = new Map();
  const filled = [];
  const places = new Map();
  for (const step of steps) {
    const column = Math.max(-1, ...(step.needs ?? []).map((need) => columns.get(need) ?? -1)) + 1;
    columns.set(step.name, column);
    filled[column] = (filled[column] ?? 0) + 1;
    places.set(step.name, { step, x: column * (WIDTH + ACROSS), y: (filled[column] - 1) * (HEIGHT + BETWEEN) });
  }
  return places;
}

export function StepsGraph({ steps }) {
  const frame = useScrollable();
  const places = placed(steps);
  const all = [...places.values()];
  const width = Math.max(...all.map((one) => one.x)) + WIDTH + 2;
  const height = Math.max(...all.map((one) => one.y)) + HEIGHT + 2;
  const edges = all.flatMap(({ step, x, y }) => (step.needs ?? []).map((need) => ({ from: places.get(need), to: { x, y }, key: `${need}>${step.name}` }))).filter((edge) => edge.from);
  return html`<div class="steps-graph" ref=${frame} role="group" aria-label=${t("routes.graph")}>
    <svg width=${width} height=${height} viewBox=${`-1 -1 ${width} ${height}`} role="img" aria-label=${t("routes.graph-said", { n: steps.length })}>
      ${edges.map(({ from, to, key }) => {
        const [x1, y1, x2, y2] = [from.x + WIDTH, from.y + HEIGHT / 2, to.x, to.y + HEIGHT / 2];
        return html`<path key=${key} class="edge" d=${`M${x1} ${y1}C${x1 + ACROSS / 2} ${y1} ${x2 - ACROSS / 2} ${y2} ${x2 - 6} ${y2}M${x2 - 11} ${y2 - 4}L${x2 - 5} ${y2}L${x2 - 11} ${y2 + 4}`} />`;
      })}
      ${all.map(({ step, x, y }) => html`<g key=${step.name} transform=${`translate(${x} ${y})`}><title>${plain(`${step.name}: ${step.uses}`)}</title>
        <rect width=${WIDTH} height=${HEIGHT} rx="6" class=${step.when ? "conditional" : ""} />
        <text x="12" y="21" class="step-name">${short(plain(step.name))}</text><text x="12" y="39" class="step-uses">${short(plain(step.uses))}</text></g>`)}
    </svg>
  </div>`;
}
