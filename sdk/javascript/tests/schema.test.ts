import assert from "node:assert/strict";
import { test } from "node:test";

import { ExactNumber, type Infer, check, s } from "@sangam/sdk";
import { failureOf } from "@sangam/sdk/testing";
import { z } from "zod";

const Line = s.object({ amount: s.integer({ minimum: 1 }), note: s.optional(s.nullable(s.string())) });
const Invoice = s.object({
  customer: s.string({ description: "The customer's id.", subject: true }),
  lines: s.array(Line, { default: [] }),
  currency: s.enum(["EUR", "USD"], { default: "EUR" }),
});

// The types say the same as the schemas; these lines fail to compile where they don't.
const typed: Infer<typeof Invoice> = { customer: "7", lines: [{ amount: 1 }, { amount: 2, note: null }], currency: "EUR" };

test("a schema is JSON Schema with its descriptions", () => {
  assert.deepEqual(Invoice.json, {
    type: "object",
    properties: {
      customer: { type: "string", description: "The customer's id.", "x-subject": true },
      lines: {
        type: "array",
        default: [],
        items: {
          type: "object",
          properties: { amount: { type: "integer", minimum: 1 }, note: { anyOf: [{ type: "string" }, { type: "null" }] } },
          required: ["amount"],
          additionalProperties: false,
        },
      },
      currency: { type: "string", enum: ["EUR", "USD"], default: "EUR" },
    },
    required: ["customer"],
    additionalProperties: false,
  });
});

test("a value that fits comes back with its defaults", async () => {
  assert.deepEqual(await check(Invoice, { customer: "7" }, "input"), { customer: "7", lines: [], currency: "EUR" });
  assert.deepEqual(await check(Invoice, typed, "input"), typed);
  const [first, second] = await Promise.all([check(Invoice, { customer: "7" }, "input"), check(Invoice, { customer: "7" }, "input")]);
  assert.notEqual(first.lines, second.lines, "each has a default of its own");
});

test("what does not fit is refused with the path of the field", async () => {
  for (const [value, reason] of [
    [{ customer: 7 }, "input.customer: 7 is a number, expected a string"],
    [{ customer: "a", lines: [{ amount: 1 }, { amount: "x" }] }, 'input.lines[1].amount: "x" is a string, expected a whole number'],
    [{ customer: "a", lines: [{}] }, "input.lines[0]: `amount` is missing"],
    [{ lines: [] }, "input: `customer` is missing"],
    [{ customer: "a", line: [] }, "input.line: there is no such property; there are `customer`, `lines`, `currency`"],
    [{ customer: "a", lines: [{ amount: 1.5 }] }, "input.lines[0].amount: 1.5 is no whole number"],
    [{ customer: "a", lines: [{ amount: 0 }] }, "input.lines[0].amount: 0, expected at least 1"],
    [{ customer: "a", currency: "CHF" }, 'input.currency: "CHF" is a string, expected one of "EUR", "USD"'],
    ["text", 'input: "text" is a string, expected an object'],
    [{ customer: "a", lines: [{ amount: 1, note: 5 }] }, "input.lines[0].note: 5 is a number, expected a string"],
  ] as const) {
    const failure = await failureOf(check(Invoice, value, "input"));
    assert.equal(failure.kind, "rejected");
    assert.equal(failure.reason, reason);
  }
});

test("numbers come as the schema wants them", async () => {
  const wide = new ExactNumber("12345678901234567890");
  assert.equal(await check(s.bigint(), wide, "n"), 12345678901234567890n);
  assert.equal(await check(s.bigint(), 7, "n"), 7n);
  assert.equal(String(await check(s.exact(), new ExactNumber("10.10"), "n")), "10.10");
  assert.equal(await check(s.number(), new ExactNumber("10.10"), "n"), 10.1);
  assert.equal(await check(s.unknown(), wide, "n"), wide);
  assert.match((await failureOf(check(s.integer(), wide, "n"))).reason, /^n: 12345678901234567890 is too large for a JavaScript number; declare it as `s.bigint\(\)`/);
});

test("of a union the option that was meant says what is wrong", async () => {
  const Shape = s.union([s.object({ kind: s.literal("circle"), radius: s.number() }), s.object({ kind: s.literal("square"), side: s.number() })]);
  const circle: Infer<typeof Shape> = { kind: "circle", radius: 1 };
  assert.deepEqual(await check(Shape, circle, "shape"), circle);
  assert.match((await failureOf(check(Shape, { kind: "circle", radius: "x" }, "shape"))).reason, /^shape\.radius: "x" is a string, expected a number/);
});

test("a schema of zod does as well", async () => {
  const Person = z.object({ name: z.string().min(1), age: z.number().int().optional() });
  const person: Infer<typeof Person> = await check(Person, { name: "Ada", age: new ExactNumber("36.0") }, "input");
  assert.deepEqual(person, { name: "Ada", age: 36 });
  const failure = await failureOf(check(Person, { name: "Ada", age: "x" }, "input"));
  assert.deepEqual([failure.kind, failure.reason.split(":")[0]], ["rejected", "input.age"]);
});
