/** Lines for the people who look at the run. Put data into fields, not into the message; never secrets or payloads. */

import { type Level, host } from "./host.ts";

/** Names and values of a line. */
export type Fields = Record<string, unknown>;

function write(level: Level, message: string, fields: Fields = {}): void {
  const pairs = Object.entries(fields).filter(([, value]) => value !== undefined);
  host().log(level, message.toWellFormed(), pairs.map(([name, value]) => [name.toWellFormed(), shown(value).toWellFormed()]));
}

function shown(value: unknown): string {
  return typeof value === "object" && value !== null && value.toString === Object.prototype.toString ? JSON.stringify(value) : String(value);
}

/** `log.info("commented on a ticket", { ticket, comment: id })` */
export const log = {
  /** Every detail, for the author. */
  trace: (message: string, fields?: Fields): void => write("trace", message, fields),
  /** What helps to find a mistake. */
  debug: (message: string, fields?: Fields): void => write("debug", message, fields),
  /** What was done. */
  info: (message: string, fields?: Fields): void => write("info", message, fields),
  /** What is odd and was coped with. */
  warn: (message: string, fields?: Fields): void => write("warn", message, fields),
  /** What went wrong. */
  error: (message: string, fields?: Fields): void => write("error", message, fields),
};

/** The log, as a context has it. */
export type Log = typeof log;
