// Lints an OpenAPI document from standard input with Redocly's rules, and prints as JSON what is wrong with it, a line each.

import { createConfig, lintFromString } from '@redocly/openapi-core';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const config = await createConfig({
  extends: ['recommended-strict'],
  rules: {
    // A host is often reached at localhost or an address.
    'no-server-example.com': 'off',
    // What needs no permission says so: probes have no refusal, and a page for a browser none of 4xx.
    'operation-4xx-response': 'off',
    // A login answers with the way to the provider: 303.
    'operation-2xx-response': 'off',
    // `/v1/dead-letters/groups` beside `/v1/dead-letters/replay` and the like are told apart by the whole segment.
    'no-ambiguous-paths': 'off',
  },
});
const problems = await lintFromString({ source: text, config });
console.log(JSON.stringify(problems.map(({ ruleId, message, location }) => `${location[0]?.pointer ?? ''}: ${message} (${ruleId})`)));
