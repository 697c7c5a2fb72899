/** Runs a project's tests with Node's own test runner; TypeScript is bundled first, since not every Node reads it. */

import { spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { readdir, rm } from "node:fs/promises";
import path from "node:path";

import { run, say, Stop } from "./build.mjs";

const TEST = /\.test\.(ts|mts|js|mjs)$/;

/** Tests the given files, or all in `tests/`; gives the exit code. */
export async function test(words) {
  const end = words.indexOf("--");
  const files = end === -1 ? words : words.slice(0, end);
  const more = end === -1 ? [] : words.slice(end + 1);
  const found = files.length > 0 ? files : await all("tests");
  if (found.length === 0) {
    throw new Stop("error: there is no test: put them into tests/NAME.test.ts");
  }
  const folder = path.resolve("build", "test");
  await rm(folder, { recursive: true, force: true });
  await run({
    entryPoints: found,
    absWorkingDir: process.cwd(),
    outdir: folder,
    outExtension: { ".js": ".mjs" },
    write: true,
    splitting: false,
    platform: "node",
    target: "node20",
    sourcemap: "linked",
    banner: { js: 'import { createRequire as __createRequire } from "node:module"; const require = __createRequire(import.meta.url);' },
  });
  const built = (await readdir(folder, { recursive: true })).filter((file) => file.endsWith(".mjs")).map((file) => path.join(folder, file));
  say(`testing ${found.length} file${found.length === 1 ? "" : "s"}`);
  const node = spawn(process.execPath, ["--enable-source-maps", "--test", ...more, ...built], { stdio: "inherit" });
  return new Promise((resolve, reject) => {
    node.on("error", reject);
    node.on("exit", (code) => resolve(code ?? 1));
  });
}

async function all(folder) {
  if (!existsSync(folder)) {
    return [];
  }
  const entries = await readdir(folder, { recursive: true });
  return entries.filter((file) => TEST.test(file)).map((file) => path.join(folder, file)).sort();
}
