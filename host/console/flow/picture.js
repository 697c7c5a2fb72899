// The graph as a picture that is moved and made larger by mouse, finger and keyboard.
import { html, useEffect, useMemo, useRef, useState } from "../preact.js";
import { knows, list, short, t } from "../i18n.js";
import { useLive } from "../live.js";
import { plain } from "../text.js";
import { Button } from "../parts/index.js";
import { arranged, line, shapeOf } from "./graph.js";

const MOST_SCALE = 2.5;
const LEAST_SCALE = 0.1;
/** Smaller than this nothing can be read: the whole graph is shown from its beginning, to be moved along. */
const READABLE = 0.55;
const STEP = 60;
/** With more lines than this, those between routes and plugins have no figures. */
const CROWD = 40;
/** How long a line moves after a call. */
const MOVES = 1_500;

const canvas = document.createElement("canvas").getContext("2d");
function measure(text, font = "600 13px") {
  canvas.font = `${font} ${getComputedStyle(document.body).fontFamily}`;
  return canvas.measureText(text).width;
}

/** The text as far as it fits. */
function cut(text, width, font) {
  const whole = plain(text);
  if (measure(whole, font) <= width) return whole;
  let end = whole.length;
  while (end > 1 && measure(`${whole.slice(0, end)}…`, font) > width) end -= 1;
  return `${whole.slice(0, end)}…`;
}

/** How something does: `{ tone, counts: [{ tone, text }], words, href }`. */
export function told(node) {
  const { of } = node;
  const name = node.kind === "source" ? list(of.senders.map(plain)) : plain(node.name);
  if (node.kind === "source") {
    const bad = of.refused + of.set_aside;
    const events = of.senders.length > 1 ? "/events" : `/events?source=${encodeURIComponent(of.source ?? node.name)}`;
    return { tone: of.state === "failing" || of.state === "broken" ? "bad" : bad > 0 ? "warn" : "", href: of.type === "api" ? events : `/sources/${encodeURIComponent(node.name)}`, words: t("flow.source-words", { name, accepted: of.accepted, bad }),
      counts: [{ tone: "ok", text: short(of.accepted) }, ...(bad > 0 ? [{ tone: "warn", text: short(bad) }] : [])] };
  }
  if (node.kind === "route") {
    const where = encodeURIComponent(node.name);
    return { tone: of.dead > 0 ? "bad" : "", href: of.dead > 0 ? `/dead-letters?route=${where}` : `/events?route=${where}`,
      words: t("flow.route-words", { name, accepted: of.accepted, succeeded: of.succeeded, running: of.running, waiting: of.waiting, dead: of.dead }),
      counts: [{ tone: "ok", text: short(of.succeeded) }, ...(of.running > 0 ? [{ tone: "info", text: short(of.running) }] : []), ...(of.waiting > 0 ? [{ tone: "wait", text: short(of.waiting) }] : []),
        ...(of.dead > 0 ? [{ tone: "bad", text: short(of.dead) }] : [])] };
  }
  if (node.kind === "step") {
    const where = encodeURIComponent(of.route);
    return { tone: of.dead > 0 ? "bad" : of.failures > 0 ? "warn" : "", href: of.dead > 0 ? `/dead-letters?route=${where}` : `/events?route=${where}`,
      words: t("flow.step-words", { name, uses: plain(of.uses), attempts: of.attempts, waiting: of.waiting, failures: of.failures, dead: of.dead }),
      counts: [{ tone: "ok", text: short(of.attempts - of.failures) }, ...(of.waiting > 0 ? [{ tone: "wait", text: short(of.waiting) }] : []),
        ...(of.failures > 0 ? [{ tone: of.dead > 0 ? "bad" : "warn", text: short(of.failures) }] : [])] };
  }
  if (node.kind === "plugin") {
    const open = of.breaker && of.breaker !== "closed";
    return { tone: of.breaker === "open" ? "bad" : of.failures > 0 || open ? "warn" : "", href: `/plugins/${encodeURIComponent(node.name)}`,
      words: t("flow.plugin-words", { name, title: plain(of.title ?? ""), calls: of.calls, failures: of.failures }),
      counts: [{ tone: "ok", text: short(of.calls - of.failures) }, ...(of.failures > 0 ? [{ tone: "warn", text: short(of.failures) }] : [])] };
  }
  return { tone: of.errors > 0 ? "warn" : "", href: `/plugins/${encodeURIComponent(of.plugin)}`, words: t("flow.system-words", { name, requests: of.requests, errors: of.errors }),
    counts: [{ tone: "ok", text: short(of.requests - of.errors) }, ...(of.errors > 0 ? [{ tone: "warn", text: short(of.errors) }] : [])] };
}

/** The figure on an edge, and whether something failed on it. */
function flowOf(edge) {
  const sum = (name) => edge.of.reduce((total, one) => total + (one[name] ?? 0), 0);
  if (edge.kind === "in") return { count: edge.of[0].only ? edge.of[0].route.accepted : null, failed: 0 };
  if (edge.kind === "ask") return { count: sum("requests"), failed: sum("errors") };
  return { count: sum("attempts"), failed: edge.kind === "call" ? sum("failures") : 0 };
}

const MARKS = { ok: "M-4 0.5l2.6 2.6L4-3", bad: "M-3-3l6 6M3-3l-6 6", warn: "M0-4.2L4.6 3.6h-9.2zM0-1v1.6", info: "M0-4a4 4 0 1 1-4 4M0-1.5v1.8l1.4 1", wait: "M-3-4h6M-3 4h6M-2-4c0 3.4 4 4.6 4 8M2-4c0 3.4-4 4.6-4 8" };

function Node({ node, at }) {
  const { tone, counts, words, href } = told(node);
  const [left, top] = [at.x - at.width / 2, at.y - at.height / 2];
  const under = { source: node.kind === "source" && (knows(`flow.type-${node.of.type}`) ? t(`flow.type-${node.of.type}`) : node.of.type), route: list(node.of.types ?? []), step: node.of.uses, plugin: node.of.title, system: t("flow.system") }[node.kind];
  let x = 12;
  return html`<a href=${href} class=${`flow-node ${node.kind}`} data-tone=${tone || undefined} aria-label=${words} data-id=${node.id}>
    <title>${words}</title>
    <g transform=${`translate(${left} ${top})`}>
      <rect class="flow-box" width=${at.width} height=${at.height} rx=${node.kind === "system" || node.kind === "source" ? 16 : 6} />
      <text class="flow-name" x="12" y="18">${cut(node.of.senders?.length > 1 ? t("flow.senders", { n: node.of.senders.length }) : node.name, at.width - 24)}</text>
      <text class="flow-under" x="12" y="33">${cut(under ?? "", at.width - 20, "11px")}</text>
      ${counts.map((one) => {
        const place = x;
        x += measure(one.text) + 26;
        return html`<g key=${one.tone} class="flow-count" data-tone=${one.tone} transform=${`translate(${place} 46)`}><path d=${MARKS[one.tone]} transform="translate(4 0)" /><text x="13" y="4">${one.text}</text></g>`;
      })}
    </g>
  </a>`;
}

/** `graph`: what `graphOf` gives. */
export function Picture({ graph, toggle, isOpen }) {
  const shape = shapeOf(graph);
  const place = useMemo(() => arranged(graph, measure), [shape]);
  const frame = useRef(null);
  const [view, setView] = useState({ x: 0, y: 0, scale: 1 });
  const [moving, setMoving] = useState(new Map());
  const drag = useRef(null);

  const fit = () => {
    const { clientWidth: width, clientHeight: height } = frame.current;
    const whole = Math.min(width / place.width, height / place.height, 1.1);
    const scale = Math.max(whole, Math.min(READABLE, width / Math.min(place.width, width / READABLE)));
    const centred = (space, size) => Math.max(0, (space - size * scale) / 2);
    setView({ x: centred(width, place.width), y: centred(height, place.height), scale });
  };
  useEffect(fit, [place]);
  useEffect(() => {
    const watcher = new ResizeObserver(fit);
    watcher.observe(frame.current);
    return () => watcher.disconnect();
  }, [place]);
  // A wheel with Ctrl, or two fingers on a pad, makes it larger; a wheel alone moves the page. Preact's own listener could not say so.
  useEffect(() => {
    const element = frame.current;
    const wheel = (event) => {
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      const box = element.getBoundingClientRect();
      zoom(Math.exp(-event.deltaY / 200), event.clientX - box.left, event.clientY - box.top);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);
  useLive(["attempt.ended"], ({ kind, data }) => {
    if (kind !== "attempt.ended") return;
    const until = Date.now() + MOVES;
    setMoving((old) => {
      const next = new Map([...old].filter(([, end]) => end > Date.now()));
      for (const key of [`step ${data.route} ${data.step}>plugin ${data.plugin}`, `route ${data.route}>plugin ${data.plugin}`, `route ${data.route}>step ${data.route} ${data.step}`]) next.set(key, until);
      return next;
    });
  });
  useEffect(() => {
    if (moving.size === 0) return;
    const timer = setTimeout(() => setMoving((old) => new Map([...old].filter(([, end]) => end > Date.now()))), MOVES);
    return () => clearTimeout(timer);
  }, [moving]);

  function zoom(by, x, y) {
    setView((old) => {
      const scale = Math.min(MOST_SCALE, Math.max(LEAST_SCALE, old.scale * by));
      const [cx, cy] = [x ?? frame.current.clientWidth / 2, y ?? frame.current.clientHeight / 2];
      return { scale, x: cx - ((cx - old.x) * scale) / old.scale, y: cy - ((cy - old.y) * scale) / old.scale };
    });
  }
  const move = (x, y) => setView((old) => ({ ...old, x: old.x + x, y: old.y + y }));
  const key = (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const act = { ArrowLeft: () => move(STEP, 0), ArrowRight: () => move(-STEP, 0), ArrowUp: () => move(0, STEP), ArrowDown: () => move(0, -STEP), "+": () => zoom(1.25), "=": () => zoom(1.25),
      "-": () => zoom(0.8), 0: fit }[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  };
  const down = (event) => {
    if (event.button === 0) drag.current = { x: event.clientX, y: event.clientY, moved: false };
  };
  const dragged = (event) => {
    const from = drag.current;
    if (!from) return;
    if (!from.moved && Math.hypot(event.clientX - from.x, event.clientY - from.y) < 5) return;
    if (!from.moved) frame.current.setPointerCapture(event.pointerId);
    from.moved = true;
    move(event.clientX - from.x, event.clientY - from.y);
    [from.x, from.y] = [event.clientX, event.clientY];
  };
  const up = () => {
    const moved = drag.current?.moved;
    drag.current = moved ? { over: true } : null;
    if (moved) setTimeout(() => { drag.current = null; });
  };
  // The end of a movement is no click on what lies below it.
  const click = (event) => {
    if (drag.current?.over) {
      event.preventDefault();
      event.stopPropagation();
    }
  };
  // What the keyboard reaches is brought into sight.
  const focus = (event) => {
    const at = place.nodes.get(event.target.dataset?.id);
    if (!at || drag.current) return;
    const { clientWidth: width, clientHeight: height } = frame.current;
    setView((old) => {
      const [x, y] = [at.x * old.scale + old.x, at.y * old.scale + old.y];
      const out = x < 80 || y < 40 || x > width - 80 || y > height - 40;
      return out ? { ...old, x: width / 2 - at.x * old.scale, y: height / 2 - at.y * old.scale } : old;
    });
  };

  return html`<div class="flow-picture">
    <div class="flow-tools" role="group" aria-label=${t("flow.view")}>
      <${Button} kind="quiet" icon="plus" label=${t("flow.larger")} onClick=${() => zoom(1.25)} />
      <${Button} kind="quiet" icon="minus" label=${t("flow.smaller")} onClick=${() => zoom(0.8)} />
      <${Button} kind="quiet" small onClick=${fit}>${t("flow.fit")}<//>
    </div>
    <div class="flow-frame" ref=${frame} style=${{ blockSize: `${Math.round(place.height * 1.1) + 60}px` }} tabindex="0" role="group" aria-label=${t("flow.picture")} aria-describedby="flow-keys" onKeyDown=${key} onPointerDown=${down} onPointerMove=${dragged}
      onPointerUp=${up} onPointerCancel=${up} onClickCapture=${click} onFocusIn=${focus} onDragStart=${(event) => event.preventDefault()}>
      <svg width="100%" height="100%" role="group" aria-label=${t("flow.picture")}>
        <defs><marker id="flow-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="7" markerHeight="7" markerUnits="userSpaceOnUse" orient="auto"><path class="flow-arrow" d="M0 0.5L7.5 4 0 7.5z" /></marker></defs>
        <g transform=${`translate(${view.x} ${view.y}) scale(${view.scale})`}>
          <g aria-hidden="true">${graph.edges.map((edge) => {
            const at = place.edges.get(edge.key);
            if (!at) return null;
            const { count, failed } = flowOf(edge);
            // Where many lines lie side by side their figures would cover one another; the things at their ends tell them.
            const isTold = count > 0 && !(edge.from.startsWith("route ") && edge.kind === "call" && graph.edges.length > CROWD);
            const width = count ? Math.min(5, 1.2 + Math.log10(count + 1)) : 1.2;
            return html`<g key=${edge.key} class=${moving.has(edge.key) ? "flow-edge moving" : "flow-edge"} data-tone=${failed > 0 ? "warn" : undefined}>
              <path d=${line(at.points)} stroke-width=${width} marker-end="url(#flow-arrow)" />
              ${isTold && html`<text x=${at.x} y=${at.y + 4}>${short(count)}</text>`}
            </g>`;
          })}</g>
          ${graph.nodes.map((node) => place.nodes.get(node.id) && html`<${Node} key=${node.id} node=${node} at=${place.nodes.get(node.id)} />`)}
          ${graph.nodes.filter((node) => node.kind === "route" && node.of.steps.length > 0).map((node) => {
            const at = place.nodes.get(node.id);
            if (!at) return null;
            const open = isOpen(node.name);
            const turn = (event) => {
              if (event.type === "keydown" && event.key !== "Enter" && event.key !== " ") return;
              event.preventDefault();
              event.stopPropagation();
              toggle(node.name);
            };
            return html`<g key=${`open ${node.id}`} class="flow-open" role="button" tabindex="0" aria-expanded=${open ? "true" : "false"} data-id=${node.id}
              aria-label=${t("flow.steps-of", { route: plain(node.name) })} transform=${`translate(${at.x + at.width / 2 - 14} ${at.y + at.height / 2 - 14})`} onClick=${turn} onKeyDown=${turn}>
              <circle r="12" /><path d=${open ? "M-4 0h8" : "M-4 0h8M0-4v8"} /></g>`;
          })}
        </g>
      </svg>
    </div>
    <p class="hint" id="flow-keys">${t("flow.keys")}</p>
  </div>`;
}
