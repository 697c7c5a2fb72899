// Reads an AsyncAPI document from standard input with the initiative's own parser, and says as JSON what it is and what is wrong with it.

import { Parser } from '@asyncapi/parser';

let text = '';
for await (const chunk of process.stdin) text += chunk;
const { document, diagnostics } = await new Parser().parse(text);
// 0 is an error, 1 a warning; the rest is advice.
const wrong = diagnostics.filter(({ severity }) => severity <= 1);
const lines = wrong.map(({ code, message, path }) => `${path.join('/')}: ${message} (${code})`);
const channel = (channel) => ({
  address: channel.address(),
  messages: channel.messages().all().map((message) => message.name()),
});
console.log(
  JSON.stringify({
    wrong: lines,
    version: document?.version(),
    servers: document?.servers().all().map((server) => `${server.protocol()} ${server.host()}`),
    channels: Object.fromEntries(document?.channels().all().map((it) => [it.id(), channel(it)]) ?? []),
    operations: Object.fromEntries(document?.operations().all().map((it) => [it.id(), it.action()]) ?? []),
    // The parser puts what is referred to in its place: a schema that refers to nothing would show here.
    data: Object.fromEntries(
      document?.allMessages().all().map((it) => [it.name(), Object.keys(it.payload()?.json()?.properties?.data?.properties ?? {})]) ?? [],
    ),
  }),
);
