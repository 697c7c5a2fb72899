import assert from "node:assert/strict";
import { test } from "node:test";

import { ExactNumber, parseJson, stringifyJson } from "@sangam/sdk";

test("numbers keep their digits", () => {
  for (const text of [
    '{"id":12345678901234567890,"price":10.10,"tiny":1e-400,"big":123456789012345678901234567890.00}',
    "[-0,0,1.0,1E5,9007199254740993,0.1]",
    '{"text":"10.10","a\\"b":[10.10,"1e5"],"n":{"m":-12345678901234567890}}',
    "10.10",
  ]) {
    assert.equal(stringifyJson(parseJson(text)), text);
  }
});

test("numbers that fit are plain numbers, and texts stay texts", () => {
  assert.deepEqual(parseJson('{"a":1,"b":2.5,"c":[true,null,"10.10"],"d":9007199254740991}'), {
    a: 1,
    b: 2.5,
    c: [true, null, "10.10"],
    d: 9007199254740991,
  });
});

test("an exact number counts as a number", () => {
  const price = (parseJson('{"price":10.10}') as { price: ExactNumber }).price;
  assert.ok(price instanceof ExactNumber);
  assert.equal(2 * Number(price), 20.2);
  assert.equal(String(price), "10.10");
  assert.throws(() => new ExactNumber("1.2.3"), /no JSON number/);
});

test("text that other readers would refuse is written well-formed", () => {
  assert.equal(stringifyJson({ a: "x\ud800", b: "\\ud800", c: "😀" }), '{"a":"x\ufffd","b":"\\\\ud800","c":"😀"}');
});

test("bigints are written as numbers, and what is no JSON is refused", () => {
  assert.equal(stringifyJson({ id: 12345678901234567890n, none: undefined }), '{"id":12345678901234567890}');
  assert.equal(stringifyJson(undefined), "null");
  assert.throws(() => parseJson('{"a":10.10'), SyntaxError);
});
