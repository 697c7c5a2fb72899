/** The mark that a message carries, and the search for it. */

import type { Infer } from "@sangam/sdk";

import { History, slack } from "./api.ts";
import type { Cx } from "./index.ts";

/** Type of the metadata of our messages. */
export const EVENT_TYPE = "sangam";

/** Messages of a page; Slack advises no more than 200. */
const PAGE = 200;

/** How far before its run a message may seem to be, in seconds: Slack's clock and the host's differ. */
const MARGIN = 600;

/** The message with that key in its metadata, in the channel or thread that the input names. */
export async function find(
  { channel, thread }: { channel: string; thread?: string | null | undefined },
  key: string,
  { http, config, run }: Pick<Cx, "http" | "config" | "run">,
): Promise<{ channel: string; ts: string } | undefined> {
  const method = thread == null ? "conversations.history" : "conversations.replies";
  let cursor: string | undefined;
  do {
    const page: Infer<typeof History> = await http
      .get(`${config["base-url"]}/api/${method}`, {
        query: { channel, ts: thread ?? undefined, include_all_metadata: true, limit: PAGE, cursor },
      })
      .orFail(slack)
      .json(History);
    const found = page.messages.find(({ metadata }) => metadata?.event_type === EVENT_TYPE && keyOf(metadata.event_payload) === key);
    if (found !== undefined) {
      return { channel, ts: found.ts };
    }
    // A channel's history comes newest first: beyond the run's beginning there is nothing to find. A thread comes oldest first, to the end.
    const beyond = thread == null && Number(page.messages.at(-1)?.ts) < beginning(run.root) - MARGIN;
    cursor = beyond ? undefined : page.response_metadata?.next_cursor || undefined;
  } while (cursor !== undefined);
  return undefined;
}

/** When the first run of the line was made, in seconds: a UUIDv7 begins with its time in milliseconds. */
function beginning(run: string): number {
  const milliseconds = /^[0-9a-f]{8}-[0-9a-f]{4}-7/.test(run) ? Number.parseInt(run.replaceAll("-", "").slice(0, 12), 16) : 0;
  return milliseconds / 1000;
}

function keyOf(payload: unknown): unknown {
  return typeof payload === "object" && payload !== null ? (payload as { key?: unknown }).key : undefined;
}
