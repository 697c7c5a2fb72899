// The reference of the row `chain-node-red`: the pipeline of `../go` as a Node-RED flow, embedded as its documentation says, without an
// editor. HTTP in, 202, then three function nodes and three HTTP request nodes one after another. Nothing is kept.
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";

const RED = createRequire(import.meta.url)("node-red");
const express = createRequire(createRequire(import.meta.url).resolve("node-red"))("express");

const sinks = process.argv.slice(2);
const folder = mkdtempSync(join(tmpdir(), "sangam-node-red-"));
writeFileSync(join(folder, "package.json"), "{}");
const application = express();
const server = createServer(application);
const leave = () => {
  rmSync(folder, { recursive: true, force: true });
  process.exit(0);
};
process.on("SIGTERM", leave);
process.on("SIGINT", leave);

const begin = `
const event = JSON.parse(msg.payload);
msg.event = event.id;
msg.before = event.data.job_id;
msg.text = "Job " + event.data.job_id + " for " + event.data.customer.name + ": " + event.data.notes;
return msg;`;
const ask = `
msg.headers = { "content-type": "application/json", "idempotency-key": crypto.randomUUID() };
msg.payload = { event: msg.event, before: msg.before, text: msg.text };
return msg;`;
const heed = `
if (msg.statusCode !== 200) { node.error("the sink answered " + msg.statusCode); return null; }
msg.before = msg.payload.id;
return msg;`;

// Nodes without a place in the editor are taken for configuration.
const place = { z: "flow", x: 0, y: 0 };
const node = (id, type, wires, more) => ({ id, type, ...place, wires: wires.map((next) => [next]), ...more });
const code = (id, func, next) => node(id, "function", next ? [next] : [], { func, outputs: 1, libs: [{ var: "crypto", module: "crypto" }] });
const flow = [
  { id: "flow", type: "tab", label: "chain" },
  { id: "in", type: "http in", ...place, url: "/v1/events", method: "post", wires: [["accept", "begin"]] },
  { id: "accept", type: "http response", ...place, statusCode: "202", wires: [] },
  code("begin", begin, "ask0"),
];
sinks.forEach((url, index) => {
  flow.push(code(`ask${index}`, ask, `send${index}`));
  flow.push(node(`send${index}`, "http request", [`heed${index}`], { method: "POST", ret: "obj", paytoqs: "ignore", url, persist: true }));
  flow.push(code(`heed${index}`, heed, index + 1 < sinks.length ? `ask${index + 1}` : null));
});

RED.init(server, {
  userDir: folder,
  httpAdminRoot: false,
  httpNodeRoot: "/",
  functionExternalModules: true,
  logging: { console: { level: "error", metrics: false, audit: false } },
  storageModule: {
    init: async () => {},
    getFlows: async () => flow,
    saveFlows: async () => {},
    getCredentials: async () => ({}),
    saveCredentials: async () => {},
    getSettings: async () => ({}),
    saveSettings: async () => {},
    getSessions: async () => ({}),
    saveSessions: async () => {},
    getLibraryEntry: async () => [],
    saveLibraryEntry: async () => {},
  },
});
application.use("/", RED.httpNode);
RED.runtime.events.on("flows:started", () => {
  if (server.listening) return;
  server.listen(0, "127.0.0.1", () => console.log(`listening on http://127.0.0.1:${server.address().port}`));
});
await RED.start();
