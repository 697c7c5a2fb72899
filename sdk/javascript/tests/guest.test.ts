import assert from "node:assert/strict";
import { test } from "node:test";

import { structuredClone as cloned } from "../src/guest/clone.ts";
import { format } from "../src/guest/console.ts";
import { TextDecoder as Decoder, TextEncoder as Encoder } from "../src/guest/encoding.ts";
import { GuestPromise, dropJobs, runJobs, unhandledReasons } from "../src/guest/promise.ts";
import { translator } from "../src/guest/stack.ts";
import { AbortController, AbortSignal } from "../src/web/abort.ts";
import { Headers, Request, Response } from "../src/web/fetch.ts";

/** What both kinds of promises are asked to do; the order of `seen` is what counts. */
function script(P: PromiseConstructor, seen: (word: string) => void): void {
  const later = (value: unknown): PromiseLike<unknown> => ({ then: (done) => (done?.(value), undefined as never) });
  const p = P.resolve("a");
  p.then((value) => seen(`1 ${value}`)).then(() => seen("2"));
  P.reject(new Error("b")).catch((error) => seen(`3 ${error.message}`)).finally(() => seen("4")).then((value) => seen(`5 ${value}`));
  new P((resolve) => resolve(P.resolve("c"))).then((value) => seen(`6 ${value}`));
  new P((resolve) => resolve(later("d"))).then((value) => seen(`7 ${value}`));
  new P(() => {
    throw new Error("e");
  }).then(
    () => seen("never"),
    (error) => seen(`8 ${error.message}`),
  );
  P.all([1, P.resolve(2), later(3)]).then((values) => seen(`9 ${values}`));
  P.allSettled([P.reject(4), 5]).then((results) => seen(`10 ${JSON.stringify(results)}`));
  P.any([P.reject(6), later(7)]).then((value) => seen(`11 ${value}`));
  P.any([P.reject(8)]).catch((error) => seen(`12 ${error.constructor.name} ${error.errors}`));
  P.race([new P(() => undefined), P.resolve(9)]).then((value) => seen(`13 ${value}`));
  P.all([]).then((values) => seen(`14 ${values.length}`));
  p.then(undefined, undefined).then((value) => seen(`15 ${value}`));
  p.finally(() => {
    throw new Error("f");
  }).catch((error) => seen(`16 ${error.message}`));
  class Own<T> extends P<T> {}
  seen(String(Own.resolve(1) instanceof Own && Own.resolve(1).then(() => 1) instanceof Own));
  const itself: Promise<unknown> = new P((resolve) => P.resolve().then(() => resolve(itself)));
  itself.catch((error) => seen(`17 ${error.constructor.name}`));
}

test("promises of a component settle in the order of the engine's own", async () => {
  const native: string[] = [];
  script(Promise, (word) => native.push(word));
  await new Promise((resolve) => setTimeout(resolve, 5));
  const ours: string[] = [];
  script(GuestPromise as unknown as PromiseConstructor, (word) => ours.push(word));
  runJobs();
  assert.deepEqual(ours, native);
  assert.equal(ours.length, 18);
});

test("a rejection that nobody handles is known", () => {
  dropJobs();
  GuestPromise.reject(new Error("lost"));
  GuestPromise.reject(new Error("found")).catch(() => undefined);
  runJobs();
  assert.deepEqual(unhandledReasons().map(String), ["Error: lost"]);
  dropJobs();
  assert.deepEqual(unhandledReasons(), []);
});

test("many jobs are run in the order they came", () => {
  const seen: number[] = [];
  for (let index = 0; index < 5000; index += 1) {
    GuestPromise.resolve(index).then((value) => seen.push(value as number));
  }
  runJobs();
  assert.deepEqual(seen, [...Array(5000).keys()]);
});

test("the console shows values as people know them", () => {
  const ring: Record<string, unknown> = { name: "a" };
  ring["self"] = ring;
  assert.equal(format(["job %s took %d min, %j", "7", "90", { a: 1 }, "rest"]), 'job 7 took 90 min, { a: 1 } rest');
  assert.equal(format([[1, "x", null, undefined, 5n], new Map([["k", new Set([1])]])]), '[1, "x", null, undefined, 5n] Map {"k" => Set {1}}');
  assert.equal(format([ring]), '{ name: "a", self: [circular] }');
  assert.equal(format([new Date(0), /x/g, new Uint8Array(3), () => 1]), "1970-01-01T00:00:00.000Z /x/g Uint8Array(3 bytes) [function (anonymous)]");
  assert.equal(format(["100%", 5]), "100% 5");
});

test("text becomes UTF-8 and comes back", () => {
  for (const word of ["", "plain", "ä€😀", "\ufeffmark", "\u0000\u007f"]) {
    assert.deepEqual([...new Encoder().encode(word)], [...new TextEncoder().encode(word)]);
    assert.equal(new Decoder("utf-8", { ignoreBOM: true }).decode(new Encoder().encode(word)), word);
  }
  for (const bytes of [[0x61, 0x80], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xc0, 0x80], [0xed, 0xa0, 0x80], [0xff, 0x62], [0xe2, 0x28, 0xa1]]) {
    assert.equal(new Decoder().decode(new Uint8Array(bytes)), new TextDecoder().decode(new Uint8Array(bytes)), String(bytes));
    assert.throws(() => new Decoder("utf8", { fatal: true }).decode(new Uint8Array(bytes)), TypeError);
  }
  const parts = new Decoder();
  const bytes = new Encoder().encode("ä€😀");
  assert.equal([...bytes].map((byte) => parts.decode(new Uint8Array([byte]), { stream: true })).join("") + parts.decode(), "ä€😀");
  assert.throws(() => new Decoder("utf-16"), RangeError);
});

test("plain data are cloned deeply, with their rings", () => {
  const from = { date: new Date(5), map: new Map([[{ k: 1 }, new Set([1])]]), bytes: new Uint8Array([1, 2]), list: [1, [2]], ring: null as unknown };
  from.ring = from;
  const to = cloned(from);
  assert.deepEqual(to, from);
  assert.ok(to.ring === to && to.list !== from.list && to.bytes.buffer !== from.bytes.buffer);
  assert.throws(() => cloned({ run: () => 1 }), { name: "DataCloneError" });
});

test("what is aborted says so, once", () => {
  const controller = new AbortController();
  const any = AbortSignal.any([controller.signal, new AbortController().signal]);
  let times = 0;
  any.addEventListener("abort", () => (times += 1));
  controller.abort(new Error("enough"));
  controller.abort();
  assert.deepEqual([any.aborted, String(any.reason), times], [true, "Error: enough", 1]);
  assert.throws(() => any.throwIfAborted(), /enough/);
});

test("headers, requests and responses behave as on the web", async () => {
  const headers = new Headers({ "X-A": "1" });
  headers.append("x-a", " 2 ");
  headers.append("set-cookie", "a=1");
  headers.append("Set-Cookie", "b=2");
  assert.deepEqual([...headers], [["set-cookie", "a=1"], ["set-cookie", "b=2"], ["x-a", "1, 2"]]);
  assert.deepEqual(headers.getSetCookie(), ["a=1", "b=2"]);
  const request = new Request("https://a.example/", { method: "post", body: new URLSearchParams({ a: "b c" }) });
  assert.deepEqual([request.method, request.headers.get("content-type")], ["POST", "application/x-www-form-urlencoded;charset=UTF-8"]);
  assert.equal(await request.clone().text(), "a=b+c");
  assert.throws(() => new Request("https://a.example/", { body: "x" }), TypeError);
  const response = Response.json({ a: [1] }, { status: 201 });
  assert.deepEqual(await response.clone().json(), { a: [1] });
  await response.text();
  await assert.rejects(response.text(), /read already/);
});

test("a stack names the author's own lines", () => {
  const table = Buffer.alloc(12);
  table.writeUInt32LE(0, 0); // of the SDK
  table.writeUInt32LE(2 ** 20 + 4, 4); // line 5 of the author's file
  table.writeUInt32LE(0xffffffff, 8);
  const lines = { sources: ["@sangam/sdk/src/plugin.ts", "src/index.ts"], lines: table.toString("base64") };
  const lead = translator(() => lines, "user.js");
  const stack = ["    at run (x:user.js:2:3)", "    at then (native)", "    at invoke (x:user.js:1:1)", "    at x:user.js:3:1"].join("\n");
  assert.equal(lead(stack), "    at run (src/index.ts:5)");
  assert.equal(lead("    at invoke (x:user.js:1:1)"), "    at invoke (@sangam/sdk/src/plugin.ts:1)", "where there is nothing else");
});
