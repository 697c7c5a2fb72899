// Where the console is: paths by the history API, filters in the query, so that every view is a link to share.
import { Signal, useSignal } from "./signal.js";

const here = () => ({ path: location.pathname, query: Object.fromEntries(new URLSearchParams(location.search)), hash: location.hash });

/** `{ path, query, hash }`. */
export const place = new Signal(here());
export const usePlace = () => useSignal(place);

/** Whether the page that comes next was gone to (its heading is focused then) rather than opened. */
export const arrival = { pending: false };

function arrive() {
  const before = place.value.path;
  place.value = here();
  if (before !== place.value.path) {
    arrival.pending = true;
    scrollTo(0, 0);
  }
}

/** Goes to a path of the console, such as `/events?status=dead`. */
export function go(target, { replace = false } = {}) {
  if (target === location.pathname + location.search + location.hash) return;
  history[replace ? "replaceState" : "pushState"](null, "", target);
  arrive();
}

/** Changes filters: empty ones leave the query. Typing replaces the entry in the history, so that *back* leads to the former page. */
export function setQuery(patch, { replace = true } = {}) {
  const query = new URLSearchParams(location.search);
  for (const [name, value] of Object.entries(patch)) {
    if (value === undefined || value === null || value === "") query.delete(name);
    else query.set(name, String(value));
  }
  const text = query.toString();
  go(location.pathname + (text ? `?${text}` : "") + location.hash, { replace });
}

/** The parts of a path that fits a pattern such as `/events/:eid`, decoded; `null` where it does not fit. */
export function fits(pattern, path) {
  const [wanted, given] = [pattern, path.length > 1 ? path.replace(/\/$/, "") : path].map((text) => text.split("/"));
  if (wanted.length !== given.length) return null;
  const parts = {};
  for (const [index, piece] of wanted.entries()) {
    if (piece.startsWith(":")) {
      try {
        parts[piece.slice(1)] = decodeURIComponent(given[index]);
      } catch {
        return null;
      }
      if (!given[index]) return null;
    } else if (piece !== given[index]) return null;
  }
  return parts;
}

/** Paths that are the host's own rather than pages: links to them leave the console. */
const OF_THE_HOST = /^\/(v1|hooks|oauth|login|logout|metrics|healthz|readyz|console|openapi\.json|asyncapi\.json)(\/|$)/;

/** Makes links work without loading the page anew. */
export function listen() {
  addEventListener("popstate", arrive);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    const link = event.target instanceof Element ? event.target.closest("a[href]") : null;
    if (!link || link.getAttribute("target") || link.hasAttribute("download")) return;
    const target = new URL(link.getAttribute("href"), location.href);
    if (target.origin !== location.origin || OF_THE_HOST.test(target.pathname)) return;
    // A place on this page: the browser knows the way.
    if (target.hash && target.pathname === location.pathname && target.search === location.search) return;
    event.preventDefault();
    go(target.pathname + target.search + target.hash);
  });
}
