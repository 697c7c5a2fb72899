// The steps of a route as a small graph: each stands behind those it needs. A table beside it says the same in words.
import { html, useMemo } from "../preact.js";
import { line } from "../flow/graph.js";
import { Graph, layout } from "../vendor/@dagrejs/dagre/dist/dagre.esm.js";
import { t } from "../i18n.js";
import { plain } from "../text.js";
import { useScrollable } from "./scrollable.js";

const WIDTH = 176;
const HEIGHT = 52;
const ACROSS = 48;
const BETWEEN = 16;
/** No step's name. */
const START = " ";
/** Letters that fit into a box. */
const LETTERS = 22;

const short = (text) => (text.length > LETTERS ? `${text.slice(0, LETTERS - 1)}…` : text);

/** Where the steps and the lines between them stand: `{ width, height, boxes: [{ step, x, y }], edges: [{ key, points }] }`. No line runs behind a box. */
export function placed(steps) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: BETWEEN, edgesep: BETWEEN, ranksep: ACROSS, marginx: 1, marginy: 1 });
  graph.setDefaultEdgeLabel(() => ({}));
  const names = new Set(steps.map((step) => step.name));
  // What starts at once stands first: all of it behind one place that is not drawn.
  graph.setNode(START, { width: 0, height: 0 });
  for (const { name } of steps) graph.setNode(name, { width: WIDTH, height: HEIGHT });
  for (const { name, needs = [] } of steps) for (const need of needs) if (names.has(need)) graph.setEdge(need, name);
  for (const { name, needs = [] } of steps) if (!needs.some((need) => names.has(need))) graph.setEdge(START, name, { weight: steps.length });
  layout(graph);
  const left = Math.min(...steps.map((step) => graph.node(step.name).x)) - WIDTH / 2 - 1;
  const { width, height } = graph.graph();
  return {
    width: width - left,
    height,
    boxes: steps.map((step) => ({ step, x: graph.node(step.name).x - WIDTH / 2 - left, y: graph.node(step.name).y - HEIGHT / 2 })),
    edges: graph.edges().filter((edge) => edge.v !== START)
      .map((edge) => ({ key: `${edge.v}>${edge.w}`, points: graph.edge(edge).points.map(({ x, y }) => ({ x: x - left, y })) })),
  };
}

/** The head of an arrow that comes in from the left. */
const head = ({ x, y }) => `M${x - 6} ${y - 4}L${x} ${y}L${x - 6} ${y + 4}`;

export function StepsGraph({ steps }) {
  const frame = useScrollable();
  const { width, height, boxes, edges } = useMemo(() => placed(steps), [JSON.stringify(steps.map((step) => [step.name, step.needs]))]);
  return html`<div class="steps-graph" ref=${frame} role="group" aria-label=${t("routes.graph")}>
    <svg width=${width} height=${height} viewBox=${`0 0 ${width} ${height}`} role="img" aria-label=${t("routes.graph-said", { n: steps.length })}>
      ${edges.map(({ key, points }) => html`<path key=${key} class="edge" d=${`${line(points)}${head(points.at(-1))}`} />`)}
      ${boxes.map(({ step, x, y }) => html`<g key=${step.name} transform=${`translate(${x} ${y})`}><title>${plain(`${step.name}: ${step.uses}`)}</title>
        <rect width=${WIDTH} height=${HEIGHT} rx="6" class=${step.when ? "conditional" : ""} />
        <text x="12" y="21" class="step-name">${short(plain(step.name))}</text><text x="12" y="39" class="step-uses">${short(plain(step.uses))}</text></g>`)}
    </svg>
  </div>`;
}
