// What happens at the host, as it happens: `GET /v1/stream` (server-sent events) read by fetch, so that the token travels in a header.
import { useEffect, useRef } from "./preact.js";
import { get, headers } from "./api.js";
import { Signal, useSignal } from "./signal.js";
import { session } from "./session.js";

const LEAST_WAIT = 1_000;
const MOST_WAIT = 30_000;
/** A stream that says nothing at all for so long, not even a comment, is dead. */
const SILENCE = 60_000;
/** How often pages read anew where there is no stream. */
const POLL = 5_000;
/** Attempts that fail in a row before pages read anew by themselves. */
const PATIENCE = 2;

/** `off` while nobody listens, `connecting`, `live`, `polling`. */
export const liveState = new Signal("off");
export const useLiveState = () => useSignal(liveState);

const listeners = new Set();
let connection = null;

/**
 * Calls `handler({ kind, data, id })` for every event of these kinds (all where there are none), and for `gap` and `poll`: what was missed can't be told,
 * so read anew. Gives the function that ends it.
 */
export function listen(kinds, handler) {
  const listener = { kinds: new Set(kinds), handler };
  listeners.add(listener);
  connection ??= connect();
  return () => {
    listeners.delete(listener);
    // A page that follows listens at once: the stream is kept for it.
    setTimeout(() => {
      if (listeners.size === 0 && connection) {
        connection.abort();
        connection = null;
        liveState.value = "off";
      }
    }, 2_000);
  };
}

function tell(event) {
  for (const { kinds, handler } of [...listeners]) {
    if (event.kind === "gap" || event.kind === "poll" || kinds.size === 0 || kinds.has(event.kind)) handler(event);
  }
}

/** Calls `handler` for every event of these kinds while a component is shown. */
export function useLive(kinds, handler) {
  const latest = useRef(handler);
  latest.current = handler;
  const wanted = kinds.join(",");
  useEffect(() => listen(wanted ? wanted.split(",") : [], (event) => latest.current(event)), [wanted]);
}

/** Calls `reload` when something of these kinds happens, at most once in `every` ms, and never while it still runs. */
export function useRefresh(kinds, reload, every = 1_000) {
  const latest = useRef(reload);
  latest.current = reload;
  const wanted = kinds.join(",");
  useEffect(() => {
    let [last, timer, running, ended] = [0, null, false, false];
    const run = async () => {
      timer = null;
      running = true;
      try {
        await latest.current();
      } finally {
        running = false;
        last = Date.now();
      }
    };
    const ask = () => {
      if (ended || timer !== null) return;
      timer = setTimeout(function due() {
        // It may have been asked for during a read that began before.
        if (running) timer = setTimeout(due, every);
        else run();
      }, Math.max(0, last + every - Date.now()));
    };
    const end = listen(wanted ? wanted.split(",") : [], ask);
    return () => {
      ended = true;
      clearTimeout(timer);
      end();
    };
  }, [wanted, every]);
}

/** Reads the stream until it is aborted; comes back by itself after every end. */
function connect() {
  const abort = new AbortController();
  let lastId = null;
  let failed = 0;
  let polling = null;
  const poll = (on) => {
    if (on && polling === null) polling = setInterval(() => tell({ kind: "poll" }), POLL);
    if (!on && polling !== null) polling = clearInterval(polling) ?? null;
  };
  const wait = (ms) =>
    new Promise((resolve) => {
      const timer = setTimeout(resolve, ms);
      abort.signal.addEventListener("abort", () => (clearTimeout(timer), resolve()), { once: true });
    });

  const once = async () => {
    const attempt = new AbortController();
    const stop = () => attempt.abort();
    abort.signal.addEventListener("abort", stop, { once: true });
    let watch = null;
    const heard = () => {
      clearTimeout(watch);
      watch = setTimeout(stop, SILENCE);
    };
    try {
      heard();
      const answer = await fetch("/v1/stream", {
        headers: headers({ accept: "text/event-stream", ...(lastId ? { "last-event-id": lastId } : {}) }),
        signal: attempt.signal,
        cache: "no-store",
      });
      if (!answer.ok || !answer.body || !answer.headers.get("content-type")?.startsWith("text/event-stream")) {
        await answer.body?.cancel();
        // A token that was revoked or a session that was ended: the reader is told at once, and why.
        if (answer.status === 401) await get("/v1/me").catch(() => null);
        return false;
      }
      const missed = failed > 0 && lastId === null;
      failed = 0;
      poll(false);
      liveState.value = "live";
      // What happened while nothing was heard, without a place to resume at.
      if (missed) tell({ kind: "gap", data: {}, id: null });
      await read(answer.body, heard, (event) => {
        if (event.id) lastId = event.id;
        if (event.kind) tell(event);
      });
      return true;
    } finally {
      clearTimeout(watch);
      abort.signal.removeEventListener("abort", stop);
    }
  };

  (async () => {
    while (!abort.signal.aborted) {
      if (session.value.state !== "in") {
        poll(false);
        liveState.value = "connecting";
        await wait(LEAST_WAIT);
        continue;
      }
      if (failed === 0) liveState.value = "connecting";
      const ended = await once().catch(() => false);
      if (abort.signal.aborted) break;
      if (!ended) failed += 1;
      if (failed >= PATIENCE) {
        liveState.value = "polling";
        poll(true);
      }
      const most = Math.min(MOST_WAIT, LEAST_WAIT * 2 ** Math.max(0, failed - 1));
      await wait(most / 2 + (Math.random() * most) / 2);
    }
    poll(false);
  })();
  return abort;
}

/** Reads server-sent events (WHATWG HTML, section 9.2) until the stream ends. */
async function read(body, heard, take) {
  const decoder = new TextDecoder();
  const reader = body.getReader();
  let rest = "";
  let event = { kind: "", data: [], id: null };
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    rest += decoder.decode(value, { stream: true });
    const lines = rest.split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        if (event.data.length > 0) take({ kind: event.kind || "message", data: parsed(event.data.join("\n")), id: event.id });
        else if (event.id) take({ kind: "", data: null, id: event.id });
        event = { kind: "", data: [], id: null };
        continue;
      }
      if (line.startsWith(":")) continue;
      const colon = line.indexOf(":");
      const [field, text] = colon < 0 ? [line, ""] : [line.slice(0, colon), line.slice(colon + 1).replace(/^ /, "")];
      if (field === "event") event.kind = text;
      if (field === "data") event.data.push(text);
      if (field === "id" && !text.includes("\0")) event.id = text;
    }
  }
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return {};
  }
}
