#!/usr/bin/env node
/** Builds and tests connectors: `sangam-js build [DIR] --output FILE`, `sangam-js test [FILE…]`. */

import { installTools } from "./tools.mjs";

installTools();
const { build, say, Stop } = await import("./build.mjs");
const { test } = await import("./test.mjs");

const USAGE = `usage: sangam-js build [DIR] [--output FILE] [--descriptor FILE]
       sangam-js test [FILE…] [-- ARGUMENT-OF-NODE…]`;

const [verb, ...rest] = process.argv.slice(2);
try {
  if (verb === "build") {
    await build(options(rest));
  } else if (verb === "test") {
    process.exitCode = await test(rest);
  } else {
    throw new Stop(USAGE, 2);
  }
} catch (error) {
  if (!(error instanceof Stop)) {
    throw error;
  }
  say(error.message);
  process.exitCode = error.code;
}

function options(rest) {
  const found = { folder: ".", output: undefined, descriptor: undefined };
  for (let index = 0; index < rest.length; index += 1) {
    const word = rest[index];
    if (word === "--output" || word === "-o") {
      found.output = rest[++index];
    } else if (word === "--descriptor") {
      found.descriptor = rest[++index];
    } else if (word.startsWith("-")) {
      throw new Stop(`there is no option ${word}\n${USAGE}`, 2);
    } else {
      found.folder = word;
    }
  }
  return found;
}
