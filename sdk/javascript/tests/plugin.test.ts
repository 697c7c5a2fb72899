import assert from "node:assert/strict";
import { test } from "node:test";

import { Failure, type Infer, definePlugin, encode, s } from "@sangam/sdk";
import { Host, NoAnswer, failureOf, json, key, text } from "@sangam/sdk/testing";
import { z } from "zod";

const Comment = s.object({ id: s.string() }, { open: true });
const AddComment = s.object({ ticket: s.string(), text: s.string() }, { description: "Adds a comment to a ticket, once." });

function helpdesk() {
  const plugin = definePlugin({
    name: "helpdesk",
    title: "Helpdesk",
    config: s.object({ "base-url": s.string() }),
    hosts: ["${base-url}"],
    emits: ["comment.added"],
  });
  const add = plugin.action("add-comment", { title: "Comment on a ticket", input: AddComment, output: Comment }, async (input, cx) => {
    const seen = await cx.kv.increment("seen");
    const made = await cx.http
      .post(`${cx.config["base-url"]}/tickets/${encode(input.ticket)}/comments`, { name: "comment", json: { text: input.text } })
      .orFail((answer) => (answer.status === 409 ? Failure.retry("An agent has the ticket open", { after: "30s", response: answer }) : undefined))
      .json(Comment);
    cx.emit({ type: "comment.added", data: { id: made.id, seen } });
    cx.log.info("commented", { ticket: input.ticket });
    return made;
  });
  plugin.undo("delete-comment", { title: "Delete a comment", of: add }, async (undo, { http, config }) => {
    if (undo.output !== null) {
      await http.delete(`${config["base-url"]}/comments/${undo.output.id}`, { name: "delete" }).orFail();
    }
  });
  return plugin;
}

function host(system: ConstructorParameters<typeof Host>[0]) {
  const made = new Host(system);
  made.config = { "base-url": "https://desk.example" };
  return made;
}

const INPUT = { ticket: "a/7", text: "done" };

test("the descriptor says what the plugin is", () => {
  const descriptor = JSON.parse(helpdesk().descriptor({ name: "other", version: "1.2.3" }));
  assert.deepEqual([descriptor.name, descriptor.version, descriptor.hosts, descriptor.emits], ["helpdesk", "1.2.3", ["${base-url}"], ["comment.added"]]);
  const [add, remove] = descriptor.actions;
  assert.equal(add.description, "Adds a comment to a ticket, once.");
  assert.deepEqual([add.undo, add.idempotent, add.input.description], ["delete-comment", undefined, undefined]);
  assert.deepEqual(remove.input.properties.output.anyOf[0], Comment.json);
  assert.deepEqual(remove.output, { type: "null" });
});

test("what a plugin is made of chooses its world", () => {
  const plugin = definePlugin({ title: "Hr" });
  assert.throws(() => plugin.descriptor({ name: "hr", version: "0.1.0" }), /no action and no stream/);
  plugin.stream("leave", { title: "Leave", poll: () => ({ events: [] }) });
  assert.equal(plugin.world(), "source");
  plugin.action("greet", { title: "Greet", input: s.object({}) }, () => undefined);
  assert.equal(plugin.world(), "duplex");
  assert.throws(() => plugin.action("greet", { title: "Greet", input: s.object({}) }, () => undefined), /declared twice/);
  assert.throws(() => plugin.action("Greet", { title: "Greet", input: s.object({}) }, () => undefined), /no name of an action/);
});

test("an action writes, logs, keeps and emits", async () => {
  const desk = host((request) => json(201, { id: "c-1", path: request.path }));
  assert.deepEqual(await desk.invoke(helpdesk(), "add-comment", INPUT), { id: "c-1", path: "/tickets/a%2F7/comments" });
  const [sent] = desk.sent;
  assert.deepEqual([sent?.method, sent?.name, sent?.key, sent?.header("Content-Type")], ["POST", "comment", key("comment"), "application/json"]);
  assert.deepEqual(desk.lines, [{ level: "info", message: "commented", fields: { ticket: "a/7" } }]);
  assert.equal(desk.value("seen"), "1");
  assert.deepEqual(desk.events, [{ specversion: "1.0", type: "comment.added", data: { id: "c-1", seen: 1 } }]);
});

test("a call that fails keeps and emits nothing, and its writes are answered from the journal later", async () => {
  let answers = [text(201, "no json"), json(201, { id: "c-1" })];
  const desk = host(() => answers.shift() as ReturnType<typeof text>);
  const failure = await failureOf(desk.invoke(helpdesk(), "add-comment", INPUT));
  assert.match(failure.reason, /^the answer of POST https:\/\/desk.example\/tickets\/a%2F7\/comments is no JSON/);
  assert.deepEqual([failure.kind, desk.store.size, desk.events.length], ["rejected", 0, 0]);
  answers = [];
  desk.attempt = 2;
  await failureOf(desk.invoke(helpdesk(), "add-comment", INPUT));
  assert.equal(desk.sent.length, 1, "the write succeeded and is not sent again");
});

test("a status decides whether to try again", async () => {
  for (const [status, kind] of [
    [401, "unauthorized"],
    [408, "retry"],
    [425, "retry"],
    [500, "retry"],
    [599, "retry"],
    [429, "rate-limited"],
    [302, "rejected"],
    [404, "rejected"],
  ] as const) {
    const failure = await failureOf(host(() => text(status, "why", { "retry-after": "7" })).invoke(helpdesk(), "add-comment", INPUT));
    assert.deepEqual([failure.kind, failure.after, failure.details], [kind, 7000, { status, body: "why" }], String(status));
  }
});

test("the vendor's own ways of failing come first", async () => {
  const failure = await failureOf(host(() => text(409, "LOCKED")).invoke(helpdesk(), "add-comment", INPUT));
  assert.deepEqual([failure.kind, failure.after, failure.reason], ["retry", 30_000, "An agent has the ticket open"]);
});

test("no answer is retried where it may come, and rejected where the host forbids it", async () => {
  for (const [error, kind, words] of [
    [NoAnswer.connection("reset"), "retry", /failed: reset/],
    [NoAnswer.timeout("30 s"), "retry", /not answered in time: 30 s/],
    [NoAnswer.denied("not granted"), "rejected", /is not allowed: not granted/],
    [new NoAnswer("too-many-calls", 20), "rejected", /more than the 20 requests/],
    [new NoAnswer("response-too-large", 9), "retry", /more than 9 bytes/],
  ] as const) {
    const failure = await failureOf(
      host(() => {
        throw error;
      }).invoke(helpdesk(), "add-comment", INPUT),
    );
    assert.equal(failure.kind, kind);
    assert.match(failure.reason, words);
    assert.match(failure.reason, /^POST https:\/\/desk\.example\/tickets\/a%2F7\/comments/);
  }
});

test("an error that nobody caught is tried again, with its stack", async () => {
  const plugin = definePlugin({ title: "Broken" });
  plugin.action("fall", { title: "Fall", input: s.object({}) }, async () => {
    await Promise.resolve();
    throw new RangeError("too far", { cause: new Error("pushed") });
  });
  const failure = await failureOf(new Host().invoke(plugin, "fall", {}));
  assert.deepEqual([failure.kind, failure.reason], ["retry", "RangeError: too far"]);
  const { cause } = failure.details as { cause: { error: string; stack: string[]; cause: { error: string } } };
  assert.match(cause.stack.join("\n"), /plugin\.test/);
  assert.equal(cause.cause.error, "Error: pushed");
});

test("an output that is not what was promised is refused with its field", async () => {
  const plugin = definePlugin({ title: "Liar" });
  plugin.action("lie", { title: "Lie", input: s.object({}), output: s.object({ id: s.string() }) }, () => ({ id: 7 }) as unknown as { id: string });
  assert.match((await failureOf(new Host().invoke(plugin, "lie", {}))).reason, /^output\.id: 7 is a number, expected a string/);
});

test("a write without a name is refused before it leaves", async () => {
  const plugin = definePlugin({ title: "Nameless" });
  plugin.action("write", { title: "Write", input: s.object({}) }, async (_, { http }) => {
    await http.post("https://a.example", { json: 1 } as never);
  });
  const desk = new Host();
  assert.match((await failureOf(desk.invoke(plugin, "write", {}))).reason, /has no name: give the write one/);
  assert.equal(desk.sent.length, 0);
});

test("an undo is given what it undoes", async () => {
  const desk = host(() => text(204));
  await desk.invoke(helpdesk(), "delete-comment", { input: INPUT, output: { id: "c-1" }, effects: [{ name: "comment", key: "k", state: "done" }] });
  await desk.invoke(helpdesk(), "delete-comment", { input: INPUT, output: null, effects: [] });
  assert.deepEqual(desk.sent.map(({ method, path }) => `${method} ${path}`), ["DELETE /comments/c-1"]);
});

test("fetch goes the way of all requests", async () => {
  const plugin = definePlugin({ title: "Fetcher" });
  plugin.action("fetch", { title: "Fetch", input: s.object({}), output: s.unknown() }, async () => {
    const search = await fetch("https://a.example/search#top", { method: "POST", headers: { "Sangam-Effect": "read" }, body: "q" });
    const made = await fetch("https://a.example/things", {
      method: "POST",
      headers: { "Sangam-Effect-Name": "thing", "content-type": "application/json" },
      body: JSON.stringify({ a: 1 }),
    });
    return { ok: search.ok, found: await search.json(), status: made.status, type: made.headers.get("Content-Type") };
  });
  const desk = new Host((request) => json(request.path === "/search" ? 200 : 201, [1]));
  assert.deepEqual(await desk.invoke(plugin, "fetch", {}), { ok: true, found: [1], status: 201, type: "application/json" });
  assert.deepEqual(
    desk.sent.map(({ url, name, readOnly, headers }) => [url, name, readOnly, headers.map(([header]) => header)]),
    [
      ["https://a.example/search", undefined, true, ["content-type"]],
      ["https://a.example/things", "thing", false, ["content-type"]],
    ],
  );
});

test("a stream reads pages and webhooks, and writes nothing", async () => {
  const plugin = definePlugin({ title: "Hr", config: s.object({ "base-url": s.string() }) });
  const Cursor = s.object({ after: s.integer() });
  const Leave = z.object({ id: z.number(), version: z.number(), day: z.string() });
  plugin.stream("leave", {
    title: "Approved leave",
    types: ["leave.approved"],
    cursor: Cursor,
    async poll({ cursor, limit }, { http, config }) {
      const after: number = cursor?.after ?? 0;
      const items = await http.get(`${config["base-url"]}/leave`, { query: { limit, after } }).orFail().json(z.array(Leave));
      return {
        events: items.map((leave) => ({ type: "leave.approved", id: `${leave.id}/${leave.version}`, time: new Date(leave.day), data: leave })),
        nextCursor: { after: items.at(-1)?.id ?? after },
        more: items.length === limit,
        setAside: [{ record: { id: 0 }, reason: "no day" }],
      };
    },
    async receive(request, { http }) {
      const body: Infer<typeof Leave> = await request.json(Leave);
      if (request.header("X-Write") !== undefined) {
        await (http as unknown as { put: (url: string, options: object) => Promise<unknown> }).put?.("https://a.example", { name: "w" });
        await fetch("https://a.example", { method: "PUT", headers: { "Sangam-Effect-Name": "w" } });
      }
      return { events: [{ type: "leave.approved", data: body }], reply: { status: 202, body: "thanks" } };
    },
  });
  const hr = host(() => json(200, [{ id: 7, version: 2, day: "2026-11-02T00:00:00Z" }]));
  const page = await hr.poll(plugin, "leave", { after: 3 }, 1);
  assert.equal(hr.sent[0]?.url, "https://desk.example/leave?limit=1&after=3");
  assert.deepEqual([page.nextCursor, page.more, page.setAside], [{ after: 7 }, true, [{ record: { id: 0 }, reason: "no day" }]]);
  assert.deepEqual([hr.events[0].id, hr.events[0].time], ["7/2", "2026-11-02T00:00:00.000Z"]);
  const received = await hr.receive(plugin, "leave", { json: { id: 1, version: 1, day: "d" } });
  assert.deepEqual(received.reply, { status: 202, headers: {}, body: "thanks" });
  const denied = await failureOf(hr.receive(plugin, "leave", { json: { id: 1, version: 1, day: "d" }, headers: { "x-write": "1" } }));
  assert.match(denied.reason, /fetch failed: denied: streams may only read/);
});

test("the context tells of the call", async () => {
  const plugin = definePlugin({ title: "Teller" });
  plugin.action("tell", { title: "Tell", input: s.object({}), output: s.unknown() }, (_, { event, attempt, firstAttempt, run, deadline, step }) => ({
    event, attempt, firstAttempt, run, year: deadline.getUTCFullYear(), step,
  }));
  const desk = new Host();
  desk.attempt = 2;
  desk.event = { id: "e", source: "/s", type: "t", data: { n: 1 } };
  assert.deepEqual(await desk.invoke(plugin, "tell", {}), {
    event: desk.event, attempt: 2, firstAttempt: false, run: { id: "run-1", root: "run-1", route: "test" }, year: 2100,
    step: { name: "test", uses: "test.tell", round: 0 },
  });
});
