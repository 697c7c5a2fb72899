// Reads one delivery a line, {headers, body, secret?, kind}, and says what the subscriber's own library makes of it: {ok, value} or {ok: false, why}.
import { createInterface } from "node:readline";
import { Webhook } from "standardwebhooks";
import { HTTP } from "cloudevents";

function look({ kind, headers, body, secret }) {
  if (kind === "standard-webhooks") {
    return new Webhook(secret).verify(body, headers);
  }
  const event = HTTP.toEvent({ headers, body });
  return JSON.parse(JSON.stringify(event));
}

for await (const line of createInterface({ input: process.stdin })) {
  let answer;
  try {
    answer = { ok: true, value: look(JSON.parse(line)) };
  } catch (error) {
    answer = { ok: false, why: String(error?.message ?? error) };
  }
  process.stdout.write(JSON.stringify(answer) + "\n");
}
