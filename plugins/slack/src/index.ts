/** Connector `slack`: posts messages to channels, and takes them back. */

import { type Context, type Infer, definePlugin, s } from "@sangam/sdk";

import { Posted, refused, slack } from "./api.ts";
import { EVENT_TYPE, find } from "./marker.ts";

export const Config = s.object({
  "base-url": s.string({ default: "https://slack.com", description: "Origin of Slack; another one only for tests." }),
});
export type Cx = Context<Infer<typeof Config>>;

const plugin = definePlugin({
  title: "Slack",
  description: "Posts messages to Slack channels as a bot, and takes them back.",
  config: Config,
  hosts: ["${base-url}"],
});

// ANCHOR: schemas
const PostMessage = s.object(
  {
    channel: s.string({ minLength: 1, maxLength: 80, description: "The channel's id, such as `C0123ABCD`. The bot must be a member." }),
    text: s.string({ minLength: 1, maxLength: 40_000, personal: true, description: "The message, in Slack's mrkdwn." }),
    thread: s.optional(s.nullable(s.string({ pattern: "^\\d+\\.\\d+$", description: "The `ts` of the message to answer; without it a new one." }))),
  },
  { description: "Posts a message, once." },
);

const Message = s.object({
  channel: s.string({ description: "The channel's id." }),
  ts: s.string({ description: "The message's id within its channel." }),
});
// ANCHOR_END: schemas

/** The one write of `post-message`. */
const MESSAGE = "message";

// ANCHOR: post
const postMessage = plugin.action("post-message", { title: "Post a message", input: PostMessage, output: Message }, async (input, cx) => {
  // Slack recognises no message that is sent twice. So the message carries its key as metadata, and an attempt that may not be the first looks for it.
  const key = cx.http.key(MESSAGE);
  if (!cx.firstAttempt) {
    const found = await find(input, key, cx);
    if (found !== undefined) {
      cx.log.info("the message was there already", { channel: found.channel, ts: found.ts });
      return found;
    }
  }
  const { channel, ts } = await post(input, key, cx);
  cx.log.info("posted", { channel, ts });
  return { channel, ts };
});

async function post({ channel, text, thread }: Infer<typeof PostMessage>, key: string, { http, config, run, attempt, firstAttempt }: Cx) {
  const url = `${config["base-url"]}/api/chat.postMessage`;
  const metadata = { event_type: EVENT_TYPE, event_payload: { key } };
  const json = { channel, text, thread_ts: thread ?? undefined, metadata };
  const answer = await http.post(url, { name: MESSAGE, json });
  if (firstAttempt || !refused(answer.text())) {
    return answer.orFail(slack).json(Posted);
  }
  // Slack refuses with status 200, so that the journal has it for done and may have given an old refusal here. It goes again under a name of this attempt.
  return http.post(url, { name: `${MESSAGE}/${run.id}/${attempt}`, json }).orFail(slack).json(Posted);
}
// ANCHOR_END: post

// ANCHOR: undo
plugin.undo("delete-message", { title: "Delete the message", of: postMessage, idempotent: true }, async (undo, cx) => {
  // Where the step failed, its message may be there all the same: the key leads to it.
  const maybe = undo.effects.some(({ state, response }) => state !== "failed" && !refused((response as { body?: unknown } | null | undefined)?.body));
  const key = maybe ? undo.effect(MESSAGE)?.key : undefined;
  const message = undo.output ?? (key == null ? undefined : await find(undo.input, key, cx));
  if (message === undefined) {
    return;
  }
  const { channel, ts } = message;
  await cx.http.post(`${cx.config["base-url"]}/api/chat.delete`, { name: "delete", json: { channel, ts } }).orFail((answer) => {
    const failure = slack(answer);
    // One that is gone already is as good.
    return (failure?.details as { code?: string } | undefined)?.code === "message_not_found" ? undefined : failure;
  });
  cx.log.info("deleted", { channel, ts });
});
// ANCHOR_END: undo

export default plugin;
