/** What the SDK itself needs: esbuild and componentize-qjs. */

import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";

/**
 * Installs them where they are missing. npm brings them along into a project that has the SDK inside; beside a project, as in Sangam's own tree, it
 * leaves that to the SDK.
 */
export function installTools() {
  const require = createRequire(import.meta.url);
  try {
    require.resolve("esbuild");
    require.resolve("componentize-qjs");
    return;
  } catch {
    process.stderr.write("installing the tools of the JavaScript SDK (npm)\n");
  }
  const sdk = fileURLToPath(new URL("..", import.meta.url));
  const done = spawnSync("npm", ["ci", "--ignore-scripts", "--no-audit", "--no-fund"], { cwd: sdk, encoding: "utf8", shell: process.platform === "win32" });
  if (done.status !== 0) {
    process.stderr.write(`error: npm could not install the tools of the SDK in ${sdk}: ${done.error?.message ?? done.stderr.trim()}\n`);
    process.exit(1);
  }
}
