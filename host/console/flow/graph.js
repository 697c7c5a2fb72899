// The graph of the configuration: which sources feed which routes, which steps call which plugins, which systems those ask. And where each stands.
import { Graph, layout } from "../vendor/@dagrejs/dagre/dist/dagre.esm.js";

/** More routes than this are drawn without their steps until one asks for them. */
export const MOST_OPEN = 6;
const HEIGHT = 58;
const LEAST_WIDTH = 132;
const MOST_WIDTH = 240;

/** Whether a type and a pattern, or two patterns, can mean the same event: `*` stands for any run of characters. */
export function meets(one, other) {
  const like = (pattern, text) => new RegExp(`^${pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&")).join(".*")}$`, "u").test(text);
  return one === other || like(one, other) || like(other, one);
}

/**
 * Whether a source brings what a route wants. One that is not configured is known by what it sent: it is joined to routes that took something in. A configured one
 * that does not say what it brings can bring anything; the host itself brings its own types alone.
 */
export function feeds(source, route) {
  if ((route.sources ?? []).length > 0 && source.source && !route.sources.some((wanted) => meets(source.source, wanted))) return false;
  if (source.type === "api" && route.accepted === 0) return false;
  const types = source.type === "api" && source.source?.startsWith("/sangam/") ? ["sangam.*"] : source.types ?? [];
  if (types.length === 0) return true;
  return types.some((type) => route.types.some((wanted) => meets(type, wanted)));
}

/**
 * Senders of whom it is known only that they sent something, and that feed the same routes: one thing, `{ ...source, name, senders }`. A line from each of them to each
 * of those routes would say no more, and hide the others.
 */
export function senders(sources, routes) {
  const groups = new Map();
  const result = [];
  for (const source of sources) {
    const fed = routes.filter((route) => feeds(source, route)).map((route) => route.name);
    const key = JSON.stringify(fed);
    const group = source.type === "api" && fed.length > 1 ? groups.get(key) : undefined;
    if (group) {
      group.senders.push(source.name);
      for (const count of ["accepted", "refused", "set_aside"]) group[count] += source[count];
      continue;
    }
    const one = { ...source, fed: new Set(fed), senders: [source.name] };
    if (source.type === "api" && fed.length > 1) groups.set(key, one);
    result.push(one);
  }
  return result;
}

/** How many steps of a route come before a step. */
function depths(route) {
  const found = new Map();
  const depth = (name) => {
    if (found.has(name)) return found.get(name);
    // A cycle can't be configured; a stopgap here keeps one from hanging the page.
    found.set(name, 0);
    const step = route.steps.find((one) => one.name === name);
    const most = Math.max(-1, ...(step?.needs ?? []).map(depth)) + 1;
    found.set(name, most);
    return most;
  };
  for (const step of route.steps) depth(step.name);
  return found;
}

/** Routes that a filter wants: its text is in their name, types, steps or plugins; `failing`: only those in which something failed. */
export function wanted(routes, text, failing) {
  const small = text.trim().toLowerCase();
  const holds = (route) => [route.name, ...route.types, ...route.steps.flatMap((step) => [step.name, step.uses])].some((word) => String(word ?? "").toLowerCase().includes(small));
  const fails = (route) => route.dead > 0 || route.steps.some((step) => step.failures > 0 || step.dead > 0);
  return routes.filter((route) => (!small || holds(route)) && (!failing || fails(route)));
}

/**
 * Nodes and edges: `{ nodes: [{ id, kind, name, of }], edges: [{ from, to, kind, of, length }] }`. `open(name)`: whether a route's steps are drawn. `of` is what the
 * flow says of a thing.
 */
export function graphOf(flow, routes, open) {
  const nodes = new Map();
  const edges = new Map();
  const node = (id, kind, name, of) => nodes.set(id, { id, kind, name, of });
  const edge = (from, to, kind, of, length = 1) => {
    const key = `${from}>${to}`;
    const before = edges.get(key);
    if (before) before.of.push(of);
    else edges.set(key, { key, from, to, kind, of: [of], length });
  };
  const plugins = new Map(flow.plugins.map((plugin) => [plugin.name, plugin]));
  const depthOf = new Map(routes.map((route) => [route.name, depths(route)]));
  const deepest = Math.max(0, ...routes.filter((route) => open(route.name)).map((route) => Math.max(0, ...[...depthOf.get(route.name).values()].map((depth) => depth + 1))));
  const used = new Set();
  const sources = senders(flow.sources, routes);
  for (const route of routes) {
    const at = `route ${route.name}`;
    node(at, "route", route.name, route);
    const brought = sources.filter((source) => source.fed.has(route.name));
    for (const source of brought) {
      node(`source ${source.name}`, "source", source.name, source);
      edge(`source ${source.name}`, at, "in", { route, source, only: brought.length === 1 && source.senders.length === 1 });
    }
    const isOpen = open(route.name);
    for (const step of route.steps) {
      const plugin = plugins.get(step.plugin);
      if (isOpen) {
        const here = `step ${route.name} ${step.name}`;
        node(here, "step", step.name, { ...step, route: route.name });
        if (step.needs.length === 0) edge(at, here, "begin", step);
        for (const need of step.needs) edge(`step ${route.name} ${need}`, here, "then", step);
        if (plugin) edge(here, `plugin ${plugin.name}`, "call", step, deepest - depthOf.get(route.name).get(step.name));
      } else if (plugin) edge(at, `plugin ${plugin.name}`, "call", step, deepest + 1);
      if (plugin) used.add(plugin.name);
    }
  }
  for (const name of used) {
    const plugin = plugins.get(name);
    node(`plugin ${name}`, "plugin", name, plugin);
    for (const host of plugin.hosts ?? []) {
      node(`system ${host.host}`, "system", host.host, { ...host, plugin: name });
      edge(`plugin ${name}`, `system ${host.host}`, "ask", host);
    }
  }
  return { nodes: [...nodes.values()], edges: [...edges.values()] };
}

/** What does not change while only figures do: the layout is kept as long as this is the same. */
export const shapeOf = ({ nodes, edges }) => JSON.stringify([nodes.map((node) => node.id), edges.map((edge) => edge.key)]);

/** Where everything stands: `{ width, height, nodes: Map(id → { x, y, width, height }), edges: Map(key → { points, x, y }) }`. `measure(text)` in pixels. */
export function arranged({ nodes, edges }, measure) {
  const graph = new Graph();
  graph.setGraph({ rankdir: "LR", nodesep: 14, ranksep: 56, edgesep: 10, marginx: 12, marginy: 12 });
  graph.setDefaultEdgeLabel(() => ({}));
  for (const node of nodes) {
    const width = Math.min(MOST_WIDTH, Math.max(LEAST_WIDTH, measure(node.name) + (node.kind === "route" ? 60 : 36)));
    graph.setNode(node.id, { width, height: HEIGHT });
  }
  for (const edge of edges) graph.setEdge(edge.from, edge.to, { minlen: Math.max(1, edge.length), width: 34, height: 14, labelpos: "c" });
  layout(graph);
  const size = graph.graph();
  return {
    width: size.width || 1,
    height: size.height || 1,
    nodes: new Map(nodes.map((node) => [node.id, graph.node(node.id)])),
    edges: new Map(edges.map((edge) => [edge.key, graph.edge(edge.from, edge.to)])),
  };
}

/** A smooth line through points. */
export function line(points) {
  if (points.length < 3) return `M${points.map((point) => `${point.x},${point.y}`).join("L")}`;
  let path = `M${points[0].x},${points[0].y}`;
  for (let index = 1; index < points.length - 1; index += 1) {
    const [here, next] = [points[index], points[index + 1]];
    const end = index === points.length - 2 ? next : { x: (here.x + next.x) / 2, y: (here.y + next.y) / 2 };
    path += `Q${here.x},${here.y} ${end.x},${end.y}`;
  }
  return path;
}
