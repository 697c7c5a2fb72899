import assert from "node:assert/strict";
import { test } from "node:test";

import { Host, NoAnswer, type Scripted, type Sent, failureOf, json, key, text } from "@sangam/sdk/testing";

import plugin from "../src/index.ts";

const INPUT = { channel: "C0FIELD01", text: "Pump replaced" };

interface Message {
  ts: string;
  text: string;
  metadata: unknown;
  thread_ts?: string;
}

/** A workspace with one channel; `before` may answer in its place. */
function workspace(before: (request: Sent, messages: Message[]) => Scripted | undefined = () => undefined) {
  const messages: Message[] = [];
  const host = new Host((request) => {
    const instead = before(request, messages);
    if (instead !== undefined) {
      return instead;
    }
    switch (request.path) {
      case "/api/chat.postMessage": {
        const message = { ...request.json(), ts: `1794816000.00010${messages.length}` };
        messages.push(message);
        return json(200, { ok: true, channel: message.channel, ts: message.ts, message });
      }
      case "/api/chat.delete": {
        const at = messages.findIndex(({ ts }) => ts === request.json().ts);
        return at === -1 ? json(200, { ok: false, error: "message_not_found" }) : (messages.splice(at, 1), json(200, { ok: true }));
      }
      case "/api/conversations.history":
        return json(200, { ok: true, messages: [...messages].reverse() });
      case "/api/conversations.replies":
        return json(200, { ok: true, messages: messages.filter((one) => one.thread_ts === request.query("ts")) });
      default:
        return text(404);
    }
  });
  return { host, messages };
}

/** Slack has done it; its answer is lost, once. */
function losing(path: string) {
  let lost = false;
  return (request: Sent, messages: Message[]): undefined => {
    if (request.path === path && !lost) {
      lost = true;
      messages.push({ ...request.json(), ts: "1794816000.000100" });
      throw NoAnswer.connection();
    }
  };
}

test("a message carries its key, and is posted once", async () => {
  const { host, messages } = workspace();
  assert.deepEqual(await host.invoke(plugin, "post-message", INPUT), { channel: "C0FIELD01", ts: "1794816000.000100" });
  assert.deepEqual(messages[0]?.metadata, { event_type: "sangam", event_payload: { key: key("message") } });
  assert.equal(host.sent.length, 1, "a first attempt looks for nothing");
  assert.equal(host.sent[0]?.url, "https://slack.com/api/chat.postMessage");
});

test("a message whose answer was lost is not posted twice", async () => {
  for (const thread of [undefined, "1794815000.000100"]) {
    const { host, messages } = workspace(losing("/api/chat.postMessage"));
    const input = { ...INPUT, thread };
    assert.equal((await failureOf(host.invoke(plugin, "post-message", input))).kind, "retry");
    host.attempt = 2;
    assert.deepEqual(await host.invoke(plugin, "post-message", input), { channel: "C0FIELD01", ts: "1794816000.000100" });
    assert.equal(messages.length, 1);
    assert.equal(host.sent.at(-1)?.path, thread === undefined ? "/api/conversations.history" : "/api/conversations.replies");
  }
});

test("a look-up goes through the pages, and not beyond the run's beginning", async () => {
  const pages = [
    { ok: true, messages: [{ ts: "9999999999.000100" }], response_metadata: { next_cursor: "2" } },
    { ok: true, messages: [{ ts: "9999999998.000100" }], response_metadata: { next_cursor: "" } },
  ];
  const { host, messages } = workspace((request) =>
    request.path === "/api/conversations.history" ? json(200, pages[request.query("cursor") === "2" ? 1 : 0]) : undefined,
  );
  host.attempt = 2;
  await host.invoke(plugin, "post-message", INPUT);
  assert.deepEqual(host.sent.map(({ path }) => path.slice(5)), ["conversations.history", "conversations.history", "chat.postMessage"]);
  assert.equal(messages.length, 1);
});

test("what Slack refused for a while is posted once it no longer does", async () => {
  for (const error of ["internal_error", "token_revoked", "channel_not_found"]) {
    let refusing = true;
    const { host, messages } = workspace((request) => (refusing && request.path === "/api/chat.postMessage" ? json(200, { ok: false, error }) : undefined));
    await failureOf(host.invoke(plugin, "post-message", INPUT));
    host.attempt = 2;
    await failureOf(host.invoke(plugin, "post-message", INPUT));
    refusing = false;
    host.attempt = 3;
    assert.equal((await host.invoke(plugin, "post-message", INPUT)).channel, "C0FIELD01", error);
    assert.equal(messages.length, 1);
  }
});

test("what is undone is deleted, also where the step failed with its message posted", async () => {
  const { host, messages } = workspace();
  const output = await host.invoke(plugin, "post-message", INPUT);
  await host.invoke(plugin, "delete-message", { input: INPUT, output, effects: [] });
  assert.equal(messages.length, 0);

  const lost = workspace(losing("/api/chat.postMessage"));
  await failureOf(lost.host.invoke(plugin, "post-message", INPUT));
  const effects = [{ name: "message", key: key("message"), state: "in-doubt" }];
  await lost.host.invoke(plugin, "delete-message", { input: INPUT, output: null, effects });
  assert.equal(lost.messages.length, 0);
});

test("an undo of what is gone, or never was, succeeds", async () => {
  const { host } = workspace();
  await host.invoke(plugin, "delete-message", { input: INPUT, output: { channel: "C0FIELD01", ts: "1.2" }, effects: [] });
  const refused = [{ name: "message", key: key("message"), state: "failed" }];
  await host.invoke(plugin, "delete-message", { input: INPUT, output: null, effects: refused });
  const body = '{"ok":false,"error":"not_in_channel"}';
  const answered = [{ name: "message", key: key("message"), state: "done", response: { status: 200, headers: {}, body } }];
  await host.invoke(plugin, "delete-message", { input: INPUT, output: null, effects: answered });
  assert.equal(host.sent.length, 1, "a write that was refused did nothing, and nobody looks for it");
});

test("Slack's errors say whether to try again", async () => {
  for (const [error, kind] of [
    ["ratelimited", "rate-limited"],
    ["internal_error", "retry"],
    ["fatal_error", "retry"],
    ["service_unavailable", "retry"],
    ["invalid_auth", "unauthorized"],
    ["token_revoked", "unauthorized"],
    ["channel_not_found", "rejected"],
    ["not_in_channel", "rejected"],
    ["is_archived", "rejected"],
    ["of_tomorrow", "rejected"],
  ] as const) {
    const { host } = workspace(() => json(200, { ok: false, error }));
    const failure = await failureOf(host.invoke(plugin, "post-message", INPUT));
    assert.equal(failure.kind, kind, error);
    assert.equal((failure.details as { code: string }).code, error);
  }
});

test("Slack's patience is asked for in its own words", async () => {
  const { host } = workspace(() => json(429, { ok: false, error: "ratelimited" }, { "retry-after": "30" }));
  const failure = await failureOf(host.invoke(plugin, "post-message", INPUT));
  assert.deepEqual([failure.kind, failure.after], ["rate-limited", 30_000]);
});

test("a message without text is refused before anything is sent", async () => {
  const { host } = workspace();
  assert.match((await failureOf(host.invoke(plugin, "post-message", { ...INPUT, text: "" }))).reason, /^input\.text: 0 characters, expected at least 1/);
  assert.equal(host.sent.length, 0);
});
