/** A plugin: what it is, its actions and its streams. */

import type { BatchContext, BatchEntry, Item } from "./batch.ts";
import { check } from "./check.ts";
import { type Context, type SourceContext, actionContext, sourceContext } from "./context.ts";
import { parse, stringify } from "./exact.ts";
import { Failure } from "./failure.ts";
import { type AnySchema, type Infer, type InferInput, type JsonSchema, type Schema, jsonSchema, s } from "./schema.ts";
import { Inbound, type Page, type Poll, type Received, type WireInbound, type WirePage, type WireReceived, wirePage, wireReceived } from "./stream.ts";
import { type Undo, readUndo, undoSchema } from "./undo.ts";

/** What a plugin says of itself. */
export interface PluginOptions<C extends AnySchema> {
  /** Lower-case letters, digits, hyphens. That of `package.json` if it is left out. */
  name?: string;
  /** For people. */
  title: string;
  description?: string;
  /** That of `package.json` if it is left out. */
  version?: string;
  /** From `config = { … }` in the host's configuration. */
  config?: C;
  /** Origins that it expects to reach, such as `https://api.example.com`; `${NAME}` stands for the configuration value of that name. */
  hosts?: string[];
  /** Requests that only read although their method is a writing one, as `METHOD /path` with `*` for one segment. */
  readOnly?: string[];
  /** Types of events that its actions may bring in. */
  emits?: string[];
}

/** What an action says of itself. */
export interface ActionOptions<I extends AnySchema, O extends AnySchema> {
  title: string;
  /** What it does; in place of the description of its input. */
  description?: string;
  input: I;
  /** Without one the action returns nothing. */
  output?: O;
  /** Doing it twice is the same as doing it once, by the nature of the system. */
  idempotent?: boolean;
}

/** What an undo says of itself. */
export interface UndoOptions<I extends AnySchema, O extends AnySchema> {
  title: string;
  description?: string;
  /** The action that it undoes. */
  of: Action<I, O>;
  idempotent?: boolean;
}

/** What the form of an action that takes several runs at once says of itself. */
export interface BatchOptions<I extends AnySchema, O extends AnySchema> {
  /** The action. Where a run goes alone it is done as it was declared. */
  of: Action<I, O>;
  /** Most runs that one call takes, 2 to 1000. */
  most: number;
}

/** What a stream says of itself, and how it is read. */
export interface StreamOptions<C, K extends AnySchema> {
  title: string;
  /** Types of the events that it brings in. */
  types?: string[];
  /** Of the cursor, kept as JSON between polls; any JSON if it is left out. */
  cursor?: K;
  /** Reads the next page. */
  poll?(poll: Poll<Infer<K>>, cx: SourceContext<C>): Page<Infer<K>> | Promise<Page<Infer<K>>>;
  /** Turns a webhook into events. The host has verified the request already. */
  receive?(request: Inbound, cx: SourceContext<C>): Received | Promise<Received>;
}

/** An action that was declared. */
export interface Action<I extends AnySchema = AnySchema, O extends AnySchema = AnySchema> {
  readonly name: string;
  readonly input: I;
  readonly output: O;
}

/** What an action gives: of no output schema nothing. */
type Given<O extends AnySchema> = InferInput<O> extends null ? null | void : InferInput<O>;

/** What a batch gives: a result for each of its items. */
type Results<O extends AnySchema> = readonly (Given<O> | Failure | Promise<Given<O> | Failure>)[];

interface ActionEntry {
  title: string;
  description: string | undefined;
  input: JsonSchema;
  output: JsonSchema;
  idempotent: boolean;
  undo: string | undefined;
  batch?: BatchEntry;
  run(input: unknown, cx: Context<unknown>): Promise<unknown>;
}

/** What an action leaves behind, as it crosses the boundary. */
export interface WireOutput {
  data: string;
  events: string[];
}

/** The worlds of the contract. */
export type World = "connector" | "source" | "duplex" | "batching" | "batching-duplex";

/** A plugin; make one with {@link definePlugin}. */
export class Plugin<C> {
  readonly #options: PluginOptions<AnySchema>;
  readonly #config: AnySchema;
  readonly #actions = new Map<string, ActionEntry>();
  readonly #streams = new Map<string, StreamOptions<unknown, AnySchema>>();

  constructor(options: PluginOptions<AnySchema>) {
    this.#options = options;
    this.#config = options.config ?? s.object({});
  }

  /** Declares an action and the function that does it. */
  action<I extends AnySchema, O extends AnySchema = Schema<null, false>>(
    name: string,
    options: ActionOptions<I, O>,
    run: (input: Infer<I>, cx: Context<C>) => Given<O> | Promise<Given<O>>,
  ): Action<I, O> {
    const { title, idempotent = false } = options;
    const output = (options.output ?? s.null()) as O;
    const { description: said, ...input } = jsonSchema(options.input, "input");
    this.#add(name, {
      title,
      description: options.description ?? (typeof said === "string" ? said : undefined),
      input,
      output: jsonSchema(output, "output"),
      idempotent,
      undo: undefined,
      run: async (value, cx) => {
        const given = await check(options.input, value, "input");
        return check(output, (await run(given, cx as Context<C>)) ?? null, "output");
      },
    });
    return { name, input: options.input, output };
  }

  /** Declares the action that undoes another. It runs where a route says `on-failure = "undo"`. */
  undo<I extends AnySchema, O extends AnySchema>(
    name: string,
    options: UndoOptions<I, O>,
    run: (undo: Undo<Infer<I>, Infer<O>>, cx: Context<C>) => void | Promise<void>,
  ): void;
  undo<I extends AnySchema, O extends AnySchema, R extends AnySchema>(
    name: string,
    options: UndoOptions<I, O> & { output: R },
    run: (undo: Undo<Infer<I>, Infer<O>>, cx: Context<C>) => Given<R> | Promise<Given<R>>,
  ): void;
  undo<I extends AnySchema, O extends AnySchema>(
    name: string,
    options: UndoOptions<I, O> & { output?: AnySchema },
    run: (undo: Undo<Infer<I>, Infer<O>>, cx: Context<C>) => unknown,
  ): void {
    const { title, description, of, idempotent = false } = options;
    const undone = this.#actions.get(of.name);
    if (undone === undefined) {
      throw new TypeError(`\`${name}\` undoes \`${of.name}\`, which is no action of this plugin`);
    }
    undone.undo = name;
    const output = options.output ?? s.null();
    this.#add(name, {
      title,
      description,
      input: undoSchema(of.input, of.output),
      output: jsonSchema(output, "output"),
      idempotent,
      undo: undefined,
      run: async (value, cx) => {
        const undo = await readUndo(value, of.input, of.output);
        return check(output, (await run(undo, cx as Context<C>)) ?? null, "output");
      },
    });
  }

  /**
   * Declares that an action takes several runs at once. The function is given the items whose input fits, and gives one result for each, in their order:
   * an output, a {@link Failure} of that run alone, or a promise of either. What it throws is the failure of all.
   *
   * Requests belong to the batch: name them as ever. The same batch comes again after a crash and while a write is in doubt, so what is sent must follow
   * from the items alone.
   */
  batch<I extends AnySchema, O extends AnySchema>(
    options: BatchOptions<I, O>,
    run: (items: readonly Item<Infer<I>, C>[], batch: BatchContext<C>) => Results<O> | Promise<Results<O>>,
  ): void {
    const { of, most } = options;
    const action = this.#actions.get(of.name);
    if (action === undefined) {
      throw new TypeError(`a batch is of \`${of.name}\`, which is no action of this plugin`);
    }
    if (action.batch !== undefined) {
      throw new TypeError(`the batch of \`${of.name}\` is declared twice`);
    }
    if (!Number.isInteger(most) || most < 2 || most > 1000) {
      throw new TypeError(`the batch of \`${of.name}\` takes 2 to 1000 runs at most, not ${most}`);
    }
    action.batch = {
      most,
      config: this.#config,
      input: of.input,
      output: of.output,
      run: async (items, batch) => run(items as readonly Item<Infer<I>, C>[], batch as BatchContext<C>),
    };
  }

  /** Declares a stream of events, and how it is read. */
  stream<K extends AnySchema = Schema<unknown, false>>(name: string, options: StreamOptions<C, K>): void {
    named("stream", name, this.#streams);
    if (options.poll === undefined && options.receive === undefined) {
      throw new TypeError(`the stream \`${name}\` has neither \`poll\` nor \`receive\``);
    }
    this.#streams.set(name, options as unknown as StreamOptions<unknown, AnySchema>);
  }

  #add(name: string, entry: ActionEntry): void {
    named("action", name, this.#actions);
    this.#actions.set(name, entry);
  }

  /** Which world of the contract the plugin is for. */
  world(): World {
    const batching = [...this.#actions.values()].some(({ batch }) => batch !== undefined);
    if (this.#streams.size === 0) {
      return batching ? "batching" : "connector";
    }
    return this.#actions.size === 0 ? "source" : batching ? "batching-duplex" : "duplex";
  }

  /** The descriptor: JSON text under the published schema `descriptor.schema.json`. */
  descriptor(defaults: { name: string; version: string }): string {
    const { name = defaults.name, version = defaults.version, title, description, hosts, readOnly, emits } = this.#options;
    named("plugin", name, new Map());
    if (this.#actions.size + this.#streams.size === 0) {
      throw new TypeError("the plugin has no action and no stream: declare one with `plugin.action(…)` before the module ends");
    }
    const actions = [...this.#actions].map(([action, { run: _, batch, ...entry }]) => ({
      name: action,
      ...entry,
      idempotent: entry.idempotent || undefined,
      batch: batch?.most,
    }));
    const streams = [...this.#streams].map(([stream, entry]) => ({
      name: stream,
      title: entry.title,
      poll: entry.poll !== undefined,
      receive: entry.receive !== undefined,
      types: entry.types,
    }));
    return stringify({
      name,
      version,
      title,
      description,
      configuration: jsonSchema(this.#config, "input"),
      hosts,
      read_only: readOnly,
      emits,
      actions: actions.length > 0 ? actions : undefined,
      streams: streams.length > 0 ? streams : undefined,
    });
  }

  /** Does an action: JSON texts in, JSON texts out. */
  async invoke(action: string, input: string, context: string): Promise<WireOutput> {
    const entry = this.#actions.get(action);
    if (entry === undefined) {
      throw Failure.rejected(`${this.#options.title} has no action \`${action}\``);
    }
    const events: string[] = [];
    const cx = await actionContext<unknown>(context, this.#config, events);
    const data = stringify(await entry.run(parse(input), cx));
    return { data, events };
  }

  /** How an action takes several runs at once, where it does. */
  batchOf(action: string): BatchEntry | undefined {
    return this.#actions.get(action)?.batch;
  }

  /** Reads the next page of a stream. */
  async poll(stream: string, cursor: string | undefined, limit: number, context: string): Promise<WirePage> {
    const entry = this.#streams.get(stream);
    if (entry?.poll === undefined) {
      throw Failure.rejected(`${this.#options.title} has no stream \`${stream}\` to poll`);
    }
    const cx = await sourceContext<unknown>(context, this.#config);
    const from = cursor === undefined ? undefined : await check(entry.cursor ?? s.unknown(), parse(cursor), "cursor");
    return wirePage(await entry.poll({ cursor: from, limit }, cx));
  }

  /** Turns a webhook into events. */
  async receive(stream: string, request: WireInbound, context: string): Promise<WireReceived> {
    const entry = this.#streams.get(stream);
    if (entry?.receive === undefined) {
      throw Failure.rejected(`${this.#options.title} has no stream \`${stream}\` to receive`);
    }
    const cx = await sourceContext<unknown>(context, this.#config);
    return wireReceived(await entry.receive(new Inbound(request), cx));
  }
}

/** A plugin of any configuration, as those see it who call it. */
export type AnyPlugin = Pick<Plugin<unknown>, "descriptor" | "world" | "invoke" | "batchOf" | "poll" | "receive">;

function named(what: string, name: string, taken: Map<string, unknown>): void {
  if (!/^[a-z][a-z0-9-]{0,63}$/.test(name)) {
    throw new TypeError(`\`${name}\` is no name of ${what === "action" ? "an" : "a"} ${what}: take lower-case letters, digits and hyphens, a letter first, 64 at most`);
  }
  if (taken.has(name)) {
    throw new TypeError(`names are unique, but the ${what} \`${name}\` is declared twice`);
  }
}

/**
 * Defines a plugin. It is the default export of the module that `main` of `package.json` names (`src/index.ts`).
 *
 * ```ts
 * const plugin = definePlugin({ title: "Helpdesk", config: s.object({ "base-url": s.string() }), hosts: ["${base-url}"] });
 *
 * plugin.action("add-comment", { title: "Comment on a ticket", input: AddComment, output: Comment }, async (input, { http, config }) => {
 *   const url = `${config["base-url"]}/api/tickets/${encode(input.ticket)}/comments`;
 *   return http.post(url, { name: "comment", json: { text: input.text } }).orFail().json(Comment);
 * });
 *
 * export default plugin;
 * ```
 */
export function definePlugin<C extends AnySchema = Schema<Record<never, never>, false>>(options: PluginOptions<C>): Plugin<Infer<C>> {
  return new Plugin<Infer<C>>(options as PluginOptions<AnySchema>);
}

