/** Makes a component of a project: bundles it, asks it what it is, and compiles it together with QuickJS. */

import { cp, mkdir, mkdtemp, readFile, realpath, rm, writeFile } from "node:fs/promises";
import { existsSync } from "node:fs";
import { builtinModules } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";

import { componentize } from "componentize-qjs";
import esbuild from "esbuild";

export const SDK = fileURLToPath(new URL("..", import.meta.url));

/** How QuickJS calls the program in its stacks. */
const PROGRAM = "componentize-qjs:user.js";

/** What a component of each world exports. */
const EXPORTS = {
  connector: ["plugin", "actions"],
  source: ["plugin", "events"],
  duplex: ["plugin", "actions", "events"],
  batching: ["plugin", "actions", "batches"],
  "batching-duplex": ["plugin", "actions", "batches", "events"],
};

/** Ends the program with words for the author. */
export class Stop extends Error {
  constructor(message, code = 1) {
    super(message);
    this.code = code;
  }
}

/** Tells people; standard output is for what was asked for. */
export function say(line) {
  process.stderr.write(`${line}\n`);
}

/** What `package.json` says: name, version, and the file with the plugin. */
export async function project(folder) {
  const file = path.join(folder, "package.json");
  let manifest;
  try {
    manifest = JSON.parse(await readFile(file, "utf8"));
  } catch (error) {
    throw new Stop(error.code === "ENOENT" ? `${file}: error: there is no such file; a connector in JavaScript has a package.json` : `${file}: error: ${error.message}`);
  }
  const entries = [...new Set([manifest.main ?? "src/index.ts", "src/index.ts", "src/index.js"])];
  const entry = entries.find((candidate) => existsSync(path.join(folder, candidate)));
  if (entry === undefined) {
    throw new Stop(`${file}: error: none of ${entries.join(", ")} is there; name the file with the plugin as \`main\``);
  }
  const name = String(manifest.name ?? path.basename(path.resolve(folder))).replace(/^@[^/]*\//, "");
  return { name, version: manifest.version ?? "0.0.0", entry };
}

/** Builds the project in `folder`; writes the component, without its descriptor's section, to `output`. */
export async function build({ folder, output, descriptor }) {
  const root = path.resolve(folder);
  const { name, version, entry } = await project(root);
  const target = path.resolve(output ?? path.join(root, "build", `${name}.wasm`));
  const work = await mkdtemp(path.join(tmpdir(), "sangam-js-"));
  try {
    const { world, text } = await describe(root, entry, { name, version }, work);
    const { program, size } = await bundle(root, entry, { name, version }, world);
    say(`bundled ${entry}: ${size}`);
    await mkdir(path.dirname(target), { recursive: true });
    if (descriptor !== undefined) {
      await writeFile(descriptor, text);
    }
    const witPath = await contract(work);
    const { component } = await compile({ witPath, world, jsSource: program, sync: true });
    await writeFile(target, component);
    say(`compiled with QuickJS: ${path.relative(process.cwd(), target)}, ${kib(component.length)}`);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

function kib(bytes) {
  return `${Math.round(bytes / 1024)} KiB`;
}

async function compile(options) {
  try {
    return await componentize(options);
  } catch (error) {
    throw new Stop(`error: QuickJS does not take the program: ${error.message}`);
  }
}

/** The program of the component: the SDK, the plugin, and what both import. */
async function bundle(root, entry, { name, version }, world) {
  const from = (file) => JSON.stringify(path.join(SDK, "src", file));
  const about = JSON.stringify({ name, version });
  const contents = `
    import { component } from ${from("component.ts")};
    import defined from ${JSON.stringify(`./${entry}`)};
    ${EXPORTS[world].includes("batches") ? `import { batches as together } from ${from("batches.ts")};` : ""}
    const exported = component(defined, { ...${about}, lines: () => globalThis.__sangam_lines, file: ${JSON.stringify(PROGRAM)} });
    ${EXPORTS[world].map((name) => `export const ${name} = ${name === "batches" ? "together(defined)" : `exported.${name}`};`).join("\n    ")}
  `;
  const { outputFiles } = await run({
    stdin: { contents, resolveDir: root, sourcefile: "component" },
    absWorkingDir: root,
    outfile: path.join(root, "build", "program.js"),
    external: ["sangam:*", "wasi:*"],
    inject: [path.join(SDK, "src", "web", "url.ts")],
    define: { "process.env.NODE_ENV": '"production"', global: "globalThis" },
    platform: "neutral",
    mainFields: ["module", "main"],
    conditions: ["worker", "browser"],
    target: "es2023",
    // QuickJS runs jobs of its own promises only after the call: see src/guest/promise.ts.
    supported: { "async-await": false, "async-generator": false, "for-await": false, "top-level-await": true },
    sourcemap: "external",
    plugins: [explain],
  });
  const [map, code] = ["program.js.map", "program.js"].map((wanted) => outputFiles.find((file) => file.path.endsWith(wanted)).text);
  const { sources, mappings } = JSON.parse(map);
  const sdk = path.join(await realpath(SDK), "src");
  const shown = sources.map((source) => {
    const file = path.resolve(root, "build", source);
    return file.startsWith(sdk) ? `@sangam/sdk/src${file.slice(sdk.length)}` : path.relative(root, file);
  });
  // After the code, so that no line moves.
  const program = `${code}\nglobalThis.__sangam_lines = ${JSON.stringify({ sources: shown, lines: lineTable(mappings) })};\n`;
  return { program, size: kib(code.length) };
}

/** The table of `src/guest/stack.ts`, of the mappings of a source map: base64 VLQ, five bits a digit, the lowest bit of a number its sign. */
function lineTable(mappings) {
  const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  let source = 0;
  let line = 0;
  const table = mappings.split(";").map((segments) => {
    let first;
    for (const segment of segments === "" ? [] : segments.split(",")) {
      const numbers = [];
      let value = 0;
      let shift = 0;
      for (const char of segment) {
        const digit = digits.indexOf(char);
        value |= (digit & 31) << shift;
        shift += 5;
        if ((digit & 32) === 0) {
          numbers.push(value & 1 ? -(value >> 1) : value >> 1);
          value = shift = 0;
        }
      }
      if (numbers.length >= 4) {
        source += numbers[1];
        line += numbers[2];
        first ??= source < 4095 && line < 2 ** 20 ? source * 2 ** 20 + line : undefined;
      }
    }
    return first ?? 0xffffffff;
  });
  const bytes = Buffer.alloc(4 * table.length);
  table.forEach((entry, index) => bytes.writeUInt32LE(entry, 4 * index));
  return bytes.toString("base64");
}

/** Runs the plugin's module here, to hear which world it is for and what is wrong with it, in words with the author's own lines. */
async function describe(root, entry, about, work) {
  const file = path.join(work, "probe.mjs");
  const { outputFiles } = await run({
    stdin: { contents: `import * as module from ${JSON.stringify(`./${entry}`)};\nexport default module["default"];`, resolveDir: root, sourcefile: "probe" },
    absWorkingDir: root,
    outfile: file,
    platform: "node",
    target: "node20",
    sourcemap: "inline",
    plugins: [explain],
  });
  await writeFile(file, outputFiles.find((one) => one.path.endsWith("probe.mjs")).text);
  process.setSourceMapsEnabled(true);
  let plugin;
  try {
    ({ default: plugin } = await import(pathToFileURL(file).href));
  } catch (error) {
    throw new Stop(`${place(error, root, work) ?? `${entry}:1:1`}: error: ${error.message}`);
  }
  if (typeof plugin?.descriptor !== "function") {
    throw new Stop(`${entry}:1:1: error: the default export is no plugin; end the file with \`export default plugin;\`, where \`const plugin = definePlugin({…})\``);
  }
  try {
    return { world: plugin.world(), text: plugin.descriptor(about) };
  } catch (error) {
    throw new Stop(`${entry}:1:1: error: ${error.message}`);
  }
}

/** The author's line that an error came from, as `FILE:LINE:COLUMN`. */
function place(error, root, work) {
  for (const frame of String(error.stack).split("\n")) {
    const found = /\(?((?:file:\/\/)?\/[^():]+):(\d+):(\d+)\)?$/.exec(frame);
    if (found === null) {
      continue;
    }
    let file = found[1].startsWith("file:") ? fileURLToPath(found[1]) : found[1];
    if (file.startsWith(work + path.sep)) {
      file = path.resolve(root, path.relative(work, file));
    }
    if (!file.includes(`${path.sep}node_modules${path.sep}`) && !file.startsWith(path.join(SDK, "src"))) {
      return `${path.relative(process.cwd(), file)}:${found[2]}:${found[3]}`;
    }
  }
  return undefined;
}

/** The WIT packages in one folder, as componentize-qjs wants them. */
async function contract(work) {
  const folder = path.join(work, "wit");
  await mkdir(folder, { recursive: true });
  await cp(path.join(SDK, "src", "guest", "wit"), folder, { recursive: true });
  await cp(path.join(SDK, "wit"), path.join(folder, "deps", "sangam-connector"), {
    recursive: true,
    dereference: true,
    filter: (source) => !source.endsWith(".json"),
  });
  return folder;
}

/** esbuild, with its complaints as `FILE:LINE:COLUMN: error: …`. */
export async function run(options) {
  try {
    return await esbuild.build({ bundle: true, write: false, format: "esm", charset: "utf8", logLevel: "silent", legalComments: "none", ...options });
  } catch (error) {
    if (!Array.isArray(error.errors)) {
      throw error;
    }
    const lines = error.errors.map(({ location, text, notes }) => {
      const at = location === null ? "" : `${path.relative(process.cwd(), path.resolve(options.absWorkingDir, location.file))}:${location.line}:${location.column + 1}: `;
      const missing = /^Could not resolve "([^".][^"]*)"$/.exec(text);
      const words = missing === null ? notes.map((note) => note.text) : [`if it is a package of npm, \`npm install ${missing[1]}\` brings it`];
      const help = words.map((word) => `\n  help: ${word}`).join("");
      return `${at}error: ${text}${help}`;
    });
    throw new Stop(lines.join("\n"));
  }
}

/** Says what is wrong with an import of Node's own modules, which a component does not have. */
const explain = {
  name: "explain",
  setup({ onResolve }) {
    const own = new Set(builtinModules);
    onResolve({ filter: /^(node:|[a-z_/]+$)/ }, ({ path: wanted }) => {
      const name = wanted.replace(/^node:/, "");
      if (!wanted.startsWith("node:") && !own.has(name)) {
        return undefined;
      }
      const text = `\`${wanted}\` is a module of Node.js, and a connector runs in a sandbox without files, sockets or processes: take \`http\`, \`kv\` and \`log\` of @sangam/sdk, fetch, or a package without it`;
      return { errors: [{ text }] };
    });
  },
};
