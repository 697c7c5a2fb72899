// A host for one call of a Go core module: node host.mjs MODULE INPUT BYTES. It answers each request with that many bytes, and
// fails where a host would: when an import is called while cabi_realloc runs.
import fs from "node:fs";

const [file, input, bytes] = process.argv.slice(2);
const encoder = new TextEncoder();
const decoder = new TextDecoder();
const answer = encoder.encode(JSON.stringify({ pad: "x".repeat(Number(bytes)) }));
let clock = 1_800_000_000_000_000_000n;
let allocating = false;
let exports;

const view = () => new DataView(exports.memory.buffer);

function allocate(data) {
  allocating = true;
  const at = exports.cabi_realloc(0, 0, 1, data.length);
  allocating = false;
  new Uint8Array(exports.memory.buffer).set(data, at);
  return [at, data.length];
}

const known = {
  clock_time_get: (id, precision, to) => (view().setBigUint64(to, (clock += 1000n), true), 0),
  random_get: (to, length) => (new Uint8Array(exports.memory.buffer, to, length).fill(7), 0),
  args_sizes_get: (count, size) => (view().setUint32(count, 0, true), view().setUint32(size, 0, true), 0),
  fd_prestat_get: () => 8,
  fd_write: (file, vectors, count, written) => {
    let sum = 0;
    for (let i = 0; i < count; i++) {
      const length = view().getUint32(vectors + 8 * i + 4, true);
      process.stderr.write(new Uint8Array(exports.memory.buffer, view().getUint32(vectors + 8 * i, true), length).slice());
      sum += length;
    }
    view().setUint32(written, sum, true);
    return 0;
  },
  poll_oneoff: (from, to, count, events) => (view().setUint32(events, 1, true), 0),
  proc_exit: (code) => {
    throw new Error(`exit ${code}`);
  },
  send: (...flat) => {
    const result = flat.at(-1);
    const [at, length] = allocate(answer);
    view().setUint8(result, 0);
    view().setUint16(result + 8, 200, true);
    [0, 0, at, length].forEach((word, i) => view().setUint32(result + 12 + 4 * i, word, true));
  },
};
known.environ_sizes_get = known.args_sizes_get;

const module = new WebAssembly.Module(fs.readFileSync(file));
const imports = {};
for (const { module: from, name } of WebAssembly.Module.imports(module)) {
  (imports[from] ??= {})[name] = (...flat) => {
    if (allocating) {
      throw new Error(`${name} is called while cabi_realloc runs`);
    }
    return known[name]?.(...flat) ?? 0;
  };
}
exports = new WebAssembly.Instance(module, imports).exports;
exports._initialize();
const context = { event: {}, run: { id: "r" }, step: { name: "s" }, attempt: 1, idempotency_key: "k", deadline: "", configuration: {} };
const texts = ["run", input, JSON.stringify(context)].flatMap((text) => allocate(encoder.encode(text)));
const result = exports["sangam:connector/actions@0.1.0#invoke"](...texts);
const failed = view().getUint8(result);
const [at, length] = [failed ? 16 : 8, failed ? 20 : 12].map((offset) => view().getUint32(result + offset, true));
console.log(decoder.decode(new Uint8Array(exports.memory.buffer, at, length)));
console.error(`${exports.memory.buffer.byteLength >> 20} MiB`);
process.exitCode = failed || exports.memory.buffer.byteLength > 64 << 20 ? 1 : 0;
