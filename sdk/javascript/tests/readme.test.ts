import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";

/** The folder of the SDK: where its tests are started. */
const SDK = process.cwd();

test("the code of the manual compiles, and its test passes", () => {
  const folder = path.join(SDK, "build", "readme");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const blocks = [...readFileSync(path.join(SDK, "README.md"), "utf8").matchAll(/^```ts\n(.*?)^```$/gms)].map(([, code]) => code as string);
  assert.equal(blocks.length, 3);
  const files = blocks.map((code, index) => {
    const file = path.join(folder, code.includes("node:test") ? `block-${index}.test.ts` : `block-${index}.ts`);
    writeFileSync(file, code);
    return file;
  });
  const options = { extends: "../../tsconfig.json", compilerOptions: { types: ["node"] }, include: ["."] };
  writeFileSync(path.join(folder, "tsconfig.json"), JSON.stringify(options));
  const checked = spawnSync(process.execPath, [path.join(SDK, "node_modules", "typescript", "bin", "tsc"), "-p", folder], { encoding: "utf8" });
  assert.equal(checked.status, 0, checked.stdout + checked.stderr);
  const run = (words: string[], cwd: string) => spawnSync(process.execPath, [path.join(SDK, "bin", "sangam-js.mjs"), ...words], { cwd, encoding: "utf8" });
  const tests = files.filter((file) => file.endsWith(".test.ts"));
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const tested = spawnSync(process.execPath, [path.join(SDK, "bin", "sangam-js.mjs"), "test", ...tests], { cwd: folder, encoding: "utf8", env });
  assert.equal(tested.status, 0, tested.stdout + tested.stderr);
  assert.match(tested.stdout, /pass 1/);
  // The other two are whole plugins, in a project of their own.
  mkdirSync(path.join(folder, "node_modules", "@sangam"), { recursive: true });
  symlinkSync(SDK, path.join(folder, "node_modules", "@sangam", "sdk"), "junction");
  for (const file of files.filter((one) => !tests.includes(one))) {
    writeFileSync(path.join(folder, "package.json"), JSON.stringify({ name: "manual", version: "0.1.0", main: path.basename(file) }));
    const built = run(["build", ".", "--output", "manual.wasm"], folder);
    assert.equal(built.status, 0, built.stderr);
  }
});
