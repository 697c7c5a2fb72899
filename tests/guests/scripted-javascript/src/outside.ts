/** Whatever of the machine can be reached past the contract: by Node's ways, QuickJS's own modules, and the web's. */

/** Node and QuickJS have these; a component must not. */
interface Runtime {
  process?: { env?: Record<string, string>; argv?: string[] };
  Deno?: unknown;
  Bun?: unknown;
  std?: unknown;
  os?: unknown;
  scriptArgs?: string[];
  WebSocket?: unknown;
  Worker?: unknown;
}

const runtime = globalThis as Runtime;

/** What was found, under the names that all languages use. */
export async function outside(): Promise<Record<string, unknown>> {
  const [fs, net, dgram, dns, child, os, std] = await Promise.all(
    ["node:fs", "node:net", "node:dgram", "node:dns", "node:child_process", "os", "std"].map(module),
  );
  const libraries = runtime.os !== undefined || runtime.std !== undefined || os || std;
  return {
    environment: Object.keys(runtime.process?.env ?? {}),
    arguments: runtime.process?.argv ?? runtime.scriptArgs ?? [],
    file: fs || libraries || (await reaches("file:///etc/passwd")),
    folder: fs || libraries || (await reaches("file:///")),
    written: fs || libraries || runtime.Deno !== undefined || runtime.Bun !== undefined,
    socket: net || runtime.WebSocket !== undefined || (await reaches("http://127.0.0.1:22/")),
    datagram: dgram,
    name: dns || (await reaches("http://localhost:80/")),
    process: child || runtime.Worker !== undefined,
  };
}

/** Whether the module can be had. By a name that no bundler sees. */
async function module(name: string): Promise<boolean> {
  const load = new Function("name", "return import(name)") as (name: string) => Promise<unknown>;
  let got = false;
  try {
    // A promise of QuickJS's own: it is settled only after the call, if at all, and so gives nothing to it.
    load(name).then(
      () => {
        got = true;
      },
      () => undefined,
    );
  } catch {
    return false;
  }
  await new Promise((resolve) => setTimeout(resolve, 1));
  return got;
}

async function reaches(url: string): Promise<boolean> {
  try {
    await fetch(url);
    return true;
  } catch {
    return false;
  }
}
