/** The action `gather` of `scripted`: an id is sent, alone or with those of others. */

import { type Infer, type ItemContext, type Plugin, Failure, s } from "@sangam/sdk";

import type { Config } from "./index.ts";

const Gather = s.object(
  {
    url: s.string({ description: "Where to." }),
    id: s.integer({ minimum: 0 }),
    kind: s.string({ default: "", description: "How this one fails once it was sent: `retry`, `rate-limited`, `unauthorized` or `rejected`; not at all if empty." }),
    on: s.array(s.integer({ minimum: 0 }), { default: [], description: "Attempts on which it does; all if empty." }),
    emit: s.string({ default: "", description: "Type of an event that it brings in; none if empty." }),
  },
  { description: "An id to be sent." },
);
type Gather = Infer<typeof Gather>;

const Gathered = s.object({
  id: s.integer(),
  with: s.integer({ description: "How many were sent together." }),
  key: s.string({ description: "Of its step." }),
  attempt: s.integer(),
});

/** Declares it. */
export function addGather(plugin: Plugin<Config>): void {
  const gather = plugin.action("gather", { title: "Send an id, alone or with others", input: Gather, output: Gathered }, async (input, cx) => {
    await cx.http.post(input.url, { name: "one", json: { ids: [input.id] } }).orFail();
    return gathered(input, cx, 1);
  });

  plugin.batch({ of: gather, most: 10 }, async (items, { http, kv }) => {
    for (const { input, cx } of items) {
      cx.log.info("sends", { id: input.id });
      await kv.set(`sent/${input.id}`, "yes");
    }
    const url = items[0]?.input.url ?? "";
    await http.post(url, { name: "all", json: { ids: items.map(({ input }) => input.id) } }).orFail();
    return items.map(async ({ input, cx }) => gathered(input, cx, items.length));
  });
}

function gathered({ id, kind, on, emit }: Gather, cx: ItemContext<Config>, together: number): Infer<typeof Gathered> {
  if (kind !== "" && (on.length === 0 || on.includes(cx.attempt))) {
    throw new Failure(kind === "retry" || kind === "rate-limited" || kind === "unauthorized" ? kind : "rejected", "as it was told");
  }
  if (emit !== "") {
    cx.emit({ type: emit, data: { id } });
  }
  return { id, with: together, key: cx.idempotencyKey, attempt: cx.attempt };
}
