/** Several runs at once: one request for the records of many runs, and to each run its own result. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { type Item, Failure, definePlugin, encode, s } from "@sangam/sdk";
import { type Any, Host, json, key } from "@sangam/sdk/testing";

const plugin = definePlugin({
  name: "crm",
  title: "A CRM",
  config: s.object({ "base-url": s.string({ description: "Origin of the API." }) }),
  hosts: ["${base-url}"],
  emits: ["contact.kept"],
});

const Contact = s.object({ email: s.string(), name: s.string() }, { description: "Keeps a contact by its address." });
const Kept = s.object({ id: s.string() }, { open: true });

// ANCHOR: together
const keepContact = plugin.action("keep-contact", { title: "Keep a contact", input: Contact, output: Kept }, (contact, { http, config }) =>
  http.put(`${config["base-url"]}/contacts/${encode(contact.email)}`, { name: "contact", json: contact }).orFail().json(Kept),
);

const Answer = s.array(s.object({ ref: s.string(), id: s.optional(s.string()), error: s.optional(s.string()) }, { open: true }));

// Up to 100 runs in one call.
plugin.batch({ of: keepContact, most: 100 }, async (items, { http, config }) => {
  // What is sent follows from the items alone; the key of a run's step tells its record from others in the answer.
  const records = items.map(({ input, cx }) => ({ ref: cx.idempotencyKey, contact: input }));
  const response = await http.post(`${config["base-url"]}/contacts/batch`, { name: "contacts", json: records });
  if (response.status === 400 && items.length > 1) {
    // Refused as a whole for one of them: after a retry each goes alone.
    throw Failure.retry("The CRM refused the batch", { response, after: 0 });
  }
  const answer = await response.orFail().json(Answer);
  return items.map(({ cx }) => { // one result for each item, in their order
    const record = answer.find(({ ref }) => ref === cx.idempotencyKey);
    if (record?.id !== undefined) {
      return { id: record.id };
    }
    return record === undefined
      ? Failure.retry("The CRM did not say what became of the contact")
      : Failure.rejected(`The CRM refused the contact: ${record.error}`);
  });
});
// ANCHOR_END: together

const CONTACTS = [{ email: "a@b.example", name: "A" }, { email: 7 }, { email: "c@b.example", name: "C" }];

function host(answer: (records: Any[]) => unknown): Host {
  const made = new Host((request) => {
    const body = answer(request.json());
    return json(Array.isArray(body) ? 200 : 400, body);
  });
  made.config = { "base-url": "https://crm.example" };
  return made;
}

test("each run has its own result of one request", async () => {
  const crm = host((records) => records.map(({ ref, contact }) => (contact.name === "A" ? { ref, id: "1" } : { ref, error: "no such domain" })).reverse());
  const [kept, misfit, refused] = await crm.invokeBatch(plugin, "keep-contact", CONTACTS);
  assert.deepEqual([kept, crm.sent.length], [{ id: "1" }, 1]);
  assert.deepEqual([misfit.kind, misfit.reason], ["rejected", "input.email: 7 is a number, expected a string"], "it is not sent");
  assert.deepEqual([refused.kind, refused.reason], ["rejected", "The CRM refused the contact: no such domain"]);
  assert.deepEqual(crm.sent[0]?.json().map(({ ref }: Any) => ref), [key("run-1"), key("run-3")]);
});

test("what a batch throws is the failure of each, but of those that were refused before", async () => {
  const results = await host(() => ({ message: "no" })).invokeBatch(plugin, "keep-contact", CONTACTS);
  assert.deepEqual(results.map(({ kind, after }) => [kind, after]), [["retry", 0], ["rejected", undefined], ["retry", 0]]);
});

/** A batch of the same action that does that. */
function together(run: (items: readonly Item<{ n: number }, unknown>[]) => Any) {
  const made = definePlugin({ title: "Together" });
  const double = made.action("double", { title: "Double", input: s.object({ n: s.integer() }), output: s.object({ n: s.integer() }) }, ({ n }) => ({ n: 2 * n }));
  made.batch({ of: double, most: 3 }, (items, { log }) => {
    log.info("together");
    return run(items);
  });
  return made;
}

test("each result may be a promise, and one that fails is its run's alone", async () => {
  const lines = new Host();
  const results = await lines.invokeBatch(
    together((items) =>
      items.map(async ({ input, cx }) => {
        cx.log.info("doubles", { n: input.n });
        cx.emit({ type: "doubled", data: input.n });
        if (input.n === 2) {
          throw Failure.rateLimited("slowly", { after: "2s" });
        }
        return { n: input.n === 3 ? "six" : 2 * input.n };
      }),
    ),
    "double",
    [{ n: 1 }, { n: 2 }, { n: 3 }],
  );
  assert.deepEqual(results[0], { n: 2 });
  assert.deepEqual([results[1].kind, results[1].after], ["rate-limited", 2000]);
  assert.deepEqual([results[2].kind, results[2].reason], ["rejected", 'output.n: "six" is a string, expected a whole number']);
  assert.deepEqual(lines.events.map(({ data }) => data), [1], "events are those of runs that succeeded");
  assert.deepEqual(lines.lines.map(({ fields }) => fields["invocation"]), [undefined, "0", "1", "2"]);
});

test("another number of results is a failure of all, as is any error", async () => {
  for (const [run, words] of [
    [(items: readonly unknown[]) => items.slice(1).map(() => ({ n: 1 })), /one result for each item, but of 2 items it gave 1/],
    [() => undefined, /it gave no list/],
    [() => { throw new RangeError("too far"); }, /RangeError: too far/],
  ] as const) {
    const results = await new Host().invokeBatch(together(run), "double", [{ n: 1 }, { n: 2 }]);
    for (const { kind, reason } of results) {
      assert.equal(kind, "retry");
      assert.match(reason, words);
    }
    assert.equal(results.length, 2);
  }
});

test("an action says how many runs it takes, and the plugin is for another world", () => {
  const [action] = JSON.parse(plugin.descriptor({ name: "crm", version: "0.1.0" })).actions;
  assert.deepEqual([action.batch, plugin.world()], [100, "batching"]);
  const other = together(() => []);
  other.stream("told", { title: "Told", receive: () => ({ events: [] }) });
  assert.equal(other.world(), "batching-duplex");
  const alone = definePlugin({ title: "Alone" });
  const one = alone.action("one", { title: "One", input: s.object({}) }, () => undefined);
  assert.deepEqual([alone.world(), JSON.parse(alone.descriptor({ name: "alone", version: "0.1.0" })).actions[0].batch], ["connector", undefined]);
  assert.throws(() => alone.batch({ of: one, most: 1 }, () => []), /2 to 1000/);
  assert.throws(() => alone.batch({ of: keepContact, most: 2 }, () => []), /no action of this plugin/);
  alone.batch({ of: one, most: 2 }, (items) => items.map(() => undefined));
  assert.throws(() => alone.batch({ of: one, most: 2 }, () => []), /declared twice/);
});

test("what takes one run at a time says so", async () => {
  const alone = definePlugin({ title: "Alone" });
  alone.action("one", { title: "One", input: s.object({}) }, () => undefined);
  await assert.rejects(new Host().invokeBatch(alone, "one", [{}, {}]), /`one` takes one run at a time/);
});
