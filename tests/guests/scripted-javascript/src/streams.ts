/** The streams of `scripted`: `feed` is polled, `hook` is sent to. Both do what they are told by what they read. */

import { Failure, type NewEvent, type Plugin, s } from "@sangam/sdk";

import type { Config } from "./index.ts";

const Record = s.object(
  {
    type: s.string({ default: "" }),
    id: s.optional(s.string()),
    time: s.optional(s.string()),
    data: s.unknown({ default: null }),
    bad: s.optional(s.string({ description: "It can't be made into an event: why." })),
    count: s.optional(s.string({ description: "A key that is counted up." })),
    write: s.optional(s.string({ description: "A URL that is written to, which a stream may not." })),
  },
  { open: true },
);

const Answer = s.object({ records: s.array(Record), next: s.integer(), more: s.boolean() }, { open: true });

const Told = s.object({
  events: s.array(s.object({ type: s.string(), id: s.string(), data: s.unknown() }), { default: [] }),
  count: s.optional(s.string({ description: "A key that is counted up." })),
  fail: s.optional(s.string({ description: "How it fails instead." })),
  status: s.optional(s.integer({ description: "Of the answer." })),
});

/** Declares them. */
export function addStreams(plugin: Plugin<Config>): void {
  plugin.stream("feed", {
    title: "What the feed says",
    types: ["fed.*"],
    cursor: s.integer(),
    async poll({ cursor, limit }, { http, kv, log, config, since }) {
      const query = { limit, cursor, since: since?.toISOString() };
      const answer = await http.get(`${config.feed}/feed`, { query }).orFail().json(Answer);
      log.info("a page", { records: answer.records.length });
      const events: NewEvent[] = [];
      const setAside: { record: unknown; reason: string }[] = [];
      for (const record of answer.records) {
        if (record.bad !== undefined) {
          setAside.push({ record, reason: record.bad });
          continue;
        }
        if (record.count !== undefined) {
          await kv.increment(record.count, 1);
        }
        const data = record.write === undefined ? record.data : await written(record.write);
        events.push({
          type: record.type,
          data,
          ...(record.id === undefined ? {} : { id: record.id }),
          ...(record.time === undefined ? {} : { time: record.time }),
        });
      }
      return { events, nextCursor: answer.next, more: answer.more, setAside };
    },
  });

  plugin.stream("hook", {
    title: "What a body says",
    types: ["fed.*"],
    async receive(request, { kv, config, source }) {
      const told = await request.json(Told);
      const count = told.count === undefined ? null : await kv.increment(told.count, 1);
      if (told.fail !== undefined) {
        throw told.fail === "rejected" ? Failure.rejected("no such thing: ü") : Failure.retry("not now");
      }
      const { method, path } = request;
      const seen = { method, path, topic: request.header("x-topic") ?? null, source, greeting: config.greeting, count };
      const headers = { "content-type": "application/json", "x-seen": "yes" };
      return { events: told.events, reply: { status: told.status ?? 200, headers, body: JSON.stringify(seen) } };
    },
  });
}

/** A stream's `http` has no way to write; the language's own client does. */
async function written(url: string): Promise<unknown> {
  try {
    const answer = await fetch(url, { method: "POST", headers: { "Sangam-Effect-Name": "w" } });
    return { status: answer.status };
  } catch (error) {
    return { refused: String(error) };
  }
}
