/** A plugin that does what its input says, line by line, so that a test can choose any sequence of effects and failures. */

import { type Context, type Effect, Failure, type Infer, definePlugin, s, sleep } from "@sangam/sdk";

import { addGather } from "./gather.ts";
import { outside } from "./outside.ts";
import { addStreams } from "./streams.ts";

const Config = s.object({
  greeting: s.string({ default: "", description: "Shown to whoever asks for it." }),
  feed: s.string({ default: "", description: "Origin of what the stream `feed` reads." }),
});
export type Config = Infer<typeof Config>;

const VERBS = [
  "write", "read", "fetch", "key", "get", "set", "delete", "increment", "swap", "list", "sleep", "fail", "trap", "log", "emit", "clock", "random",
  "outside", "attempt",
] as const;

const Line = s.object(
  {
    do: s.enum(VERBS, { description: "What to do." }),
    on: s.array(s.integer({ minimum: 0 }), { default: [], description: "Attempts on which to do it; all if empty." }),
    url: s.string({ default: "", description: "Of `write`, `read`, `fetch`." }),
    method: s.optional(s.nullable(s.string(), { description: "Of `write`, `fetch`; POST if absent (`fetch`: GET)." })),
    name: s.optional(s.nullable(s.string(), { description: "Of `write`, `fetch` (absent: unnamed) and `key`." })),
    body: s.unknown({ default: null, description: "Of `write`, `fetch`, sent as JSON; data of `emit`." }),
    whatever: s.boolean({ default: false, description: "Of `write`, `fetch`: whether any answer or error is a result instead of a failure." }),
    key: s.string({ default: "", description: "Of key-value lines; text of `fail` and `log`; type of `emit`." }),
    value: s.string({ default: "", description: "Of `set`, `swap`." }),
    expected: s.optional(s.nullable(s.string(), { description: "Of `swap`." })),
    amount: s.integer({ default: 0, description: "Of `increment`; milliseconds of `sleep`." }),
    kind: s.string({ default: "", description: "Of `fail`: `retry`, `rate-limited`, `unauthorized` or `rejected`." }),
  },
  { description: "One line." },
);
type Line = Infer<typeof Line>;

const Script = s.object(
  {
    lines: s.array(Line),
    echo: s.unknown({ default: null, description: "What the output holds beside the results, as it came." }),
    undo: s.array(Line, { default: [], description: "Done by `undo`, the same way." }),
  },
  { description: "Lines, done one after another." },
);

const Results = s.object({ results: s.array(s.unknown()), echo: s.unknown(), greeting: s.string() }, { description: "One result for each line that was done." });

type Cx = Context<Config>;

const plugin = definePlugin({ name: "scripted", title: "Scripted", config: Config });

async function run({ lines, echo }: Infer<typeof Script>, cx: Cx): Promise<Infer<typeof Results>> {
  return { results: await play(lines, cx), echo, greeting: cx.config.greeting };
}

plugin.action("run", { title: "Do what the input says", input: Script, output: Results }, run);

const act = plugin.action("act", { title: "Do what the input says, and undo what it says", input: Script, output: Results }, run);

/** Gives also what it was given. */
plugin.undo("undo", { title: "Do the undo lines of what is undone", of: act, output: s.unknown() }, async (undo, cx) => {
  const results = await play(undo.input.undo, cx);
  const effects = undo.effects.map(({ name, key, state, request, response }: Effect) => ({
    name: name ?? null,
    key: key ?? null,
    state,
    request: request ?? null,
    response: response ?? null,
  }));
  return { results, given: { output: undo.output, effects } };
});

const Person = s.object(
  {
    name: s.string({ minLength: 1, description: "How they are called." }),
    age: s.optional(s.nullable(s.integer({ minimum: 0, description: "In years." }))),
  },
  { description: "A person." },
);

plugin.action("greet", { title: "Greet by name", input: Person, output: s.unknown() }, ({ name, age = null }, { config }) => ({
  greeting: `${config.greeting} ${name}`,
  age,
}));

async function play(lines: Line[], cx: Cx): Promise<unknown[]> {
  const results: unknown[] = [];
  for (const line of lines) {
    if (line.on.length > 0 && !line.on.includes(cx.attempt)) {
      continue;
    }
    if (line.do === "emit") {
      cx.emit({ type: line.key, data: line.body });
      continue;
    }
    results.push((await one(line, cx, results)) ?? null);
  }
  return results;
}

async function one(line: Line, cx: Cx, results: unknown[]): Promise<unknown> {
  const { http, kv, log } = cx;
  switch (line.do) {
    case "write":
      return write(line, cx);
    case "read":
      return http.get(line.url).orFail().json();
    case "fetch":
      return fetched(line);
    case "key":
      return http.key(line.name ?? "");
    case "get":
      return kv.get(line.key);
    case "set":
      return kv.set(line.key, line.value);
    case "delete":
      return kv.delete(line.key);
    case "increment":
      return kv.increment(line.key, line.amount);
    case "swap":
      return kv.compareAndSwap(line.key, line.expected ?? undefined, line.value);
    case "list":
      return (await kv.list(line.key)).keys;
    case "sleep":
      return sleep(Math.abs(line.amount));
    case "fail":
      throw failure(line, results);
    case "trap":
      throw new Error("the script says so");
    case "log":
      return log.info(line.key, { attempt: cx.attempt });
    case "clock":
      return Date.now() * 1000;
    case "random":
      return Math.floor(Math.random() * Number.MAX_SAFE_INTEGER);
    case "outside":
      return outside();
    case "attempt":
      return cx.attempt;
    case "emit":
      return null;
  }
}

async function write(line: Line, { http }: Cx): Promise<unknown> {
  const named = line.name == null ? ({ unnamed: true } as const) : { name: line.name };
  try {
    const answer = await http.request(line.method ?? "POST", line.url, { json: line.body, ...named });
    if (line.whatever) {
      return { status: answer.status };
    }
    return orNull(() => answer.orFail().json());
  } catch (error) {
    if (!line.whatever) {
      throw error;
    }
    const { kind, reason } = Failure.from(error);
    return { failure: `${kind}: ${reason}` };
  }
}

/** What it gives, or null where that is no JSON; a refused answer stays a failure. */
function orNull(read: () => unknown): unknown {
  try {
    return read();
  } catch (error) {
    if (error instanceof Failure && error.reason.includes("is no JSON")) {
      return null;
    }
    throw error;
  }
}

async function fetched({ url, method, name, body, whatever }: Line): Promise<unknown> {
  const headers = new Headers();
  if (name != null) {
    headers.set("Sangam-Effect-Name", name);
  }
  const verb = method ?? "GET";
  const reads = verb === "GET" || verb === "HEAD";
  if (!reads) {
    headers.set("content-type", "application/json");
  }
  try {
    const answer = await fetch(url, { method: verb, headers, ...(reads ? {} : { body: JSON.stringify(body) }) });
    const text = await answer.text();
    return { status: answer.status, body: orNullJson(text) };
  } catch (error) {
    if (whatever) {
      return { failure: String(error) };
    }
    throw error;
  }
}

function orNullJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function failure({ kind, key, amount }: Line, results: unknown[]): Failure {
  const options = { details: { results }, ...(amount > 0 ? { after: amount } : {}) };
  switch (kind) {
    case "rate-limited":
      return Failure.rateLimited(key, options);
    case "unauthorized":
      return Failure.unauthorized(key, options);
    case "rejected":
      return Failure.rejected(key, options);
    default:
      return Failure.retry(key, options);
  }
}

addGather(plugin);
addStreams(plugin);

export default plugin;
