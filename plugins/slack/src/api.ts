/** How Slack answers: with status 200 and `{"ok": false, "error": "…"}` to most of what it will not do. (docs.slack.dev, Web API.) */

import { Failure, type FailureKind, type Response, parseJson, s } from "@sangam/sdk";

/** The answer of `chat.postMessage`, as far as it matters. */
export const Posted = s.object({ channel: s.string(), ts: s.string() }, { open: true });

/** A page of `conversations.history` and `conversations.replies`. */
export const History = s.object(
  {
    messages: s.array(
      s.object(
        {
          ts: s.string(),
          metadata: s.optional(s.object({ event_type: s.optional(s.string()), event_payload: s.optional(s.unknown()) }, { open: true })),
        },
        { open: true },
      ),
    ),
    response_metadata: s.optional(s.nullable(s.object({ next_cursor: s.optional(s.string()) }, { open: true }))),
  },
  { open: true },
);

/** Whether the body of an answer says that nothing was done. */
export function refused(body: unknown): boolean {
  if (typeof body !== "string") {
    return false;
  }
  try {
    return (parseJson(body) as { ok?: unknown } | null)?.ok === false;
  } catch {
    return false;
  }
}

/** Errors of which trying again may get rid, or for which the credential is to blame; all others are rejected. */
const KINDS: Record<string, FailureKind> = {
  ratelimited: "rate-limited",
  rate_limited: "rate-limited",
  message_limit_exceeded: "rate-limited",
  internal_error: "retry",
  fatal_error: "retry",
  request_timeout: "retry",
  service_unavailable: "retry",
  team_added_to_org: "retry",
  not_authed: "unauthorized",
  invalid_auth: "unauthorized",
  token_revoked: "unauthorized",
  token_expired: "unauthorized",
  account_inactive: "unauthorized",
};

/** What an administrator can do about it. */
const HELP: Record<string, string> = {
  channel_not_found: "there is no such channel, or the bot can't see it: give the channel's id, and invite the bot to private channels",
  not_in_channel: "the bot is not a member of the channel: invite it with /invite",
  is_archived: "the channel is archived",
  missing_scope: "the app lacks a scope: it needs chat:write, and channels:history (groups:history for private channels) to look for messages",
  thread_not_found: "the message to answer is not there",
  msg_too_long: "the text is too long for one message",
  token_revoked: "the bot's token was revoked: install the app again and set the new token",
};

// ANCHOR: judge
/** The failure that an answer is, if it is one. Statuses such as 429 and 5xx are left to HTTP. */
export function slack(response: Response): Failure | undefined {
  if (!response.ok) {
    return undefined;
  }
  const answer = response.json() as { ok?: unknown; error?: unknown; needed?: unknown } | null;
  if (answer?.ok === true) {
    return undefined;
  }
  const code = typeof answer?.error === "string" ? answer.error : "no `ok` in the answer";
  const help = HELP[code];
  return new Failure(KINDS[code] ?? "rejected", `Slack: ${code}${help === undefined ? "" : ` (${help})`}`, {
    details: { code, ...(answer?.needed === undefined ? {} : { needed: answer.needed }) },
    response,
  });
}
// ANCHOR_END: judge
