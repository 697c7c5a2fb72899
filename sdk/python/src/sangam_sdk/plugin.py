"""A plugin: what it says of itself, its actions and its streams."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, NoReturn, TypeVar, cast, get_args, get_origin, get_type_hints, overload

from .batch import Batch, Item, Together
from .context import Context, Run, SourceContext, Step
from .encode import to_json
from .event import Event, NewEvent
from .failure import Failure, Rejected
from .reader import Reader, parse, read, schema_of
from .shape import Noted, Record, Shape
from .source import Inbound, Page, Poll, Received
from .uncaught import failure_of
from .undo import Undo

C = TypeVar("C")
I = TypeVar("I")  # noqa: E741
R = TypeVar("R")
K = TypeVar("K")


@dataclass(frozen=True)
class NoConfig:
    """Nothing to configure."""


@dataclass
class Outcome:
    """What a call of an action comes to, as JSON texts."""

    data: str
    events: list[str]


@dataclass
class PageText:
    """A page as it crosses the boundary."""

    events: list[str]
    next_cursor: str | None
    more: bool
    set_aside: list[tuple[str, str]]


@dataclass
class _Action:
    name: str
    title: str
    description: str | None
    undo: str | None
    idempotent: bool
    run: Callable[[Any, Any], Any]
    input: Shape
    output: Shape
    batch: Together | None = None


@dataclass
class _Stream:
    name: str
    title: str
    types: Sequence[str]
    poll: Callable[[Any, Any], Any] | None = None
    cursor: Shape | None = None
    receive: Callable[[Any, Any], Any] | None = None


class Plugin(Generic[C]):
    """A plugin. Make one in your module and give it functions:

        plugin = Plugin("stock", title="Stock", config=Config, hosts=["${base-url}"])

        @plugin.action("take", "Take from stock", undo="put-back")
        def take(input: Take, cx: Context[Config]) -> Taken: ...
    """

    @overload
    def __init__(
        self: Plugin[NoConfig],
        name: str,
        *,
        title: str,
        description: str = "",
        hosts: Sequence[str] = (),
        read_only: Sequence[str] = (),
        emits: Sequence[str] = (),
    ) -> None: ...

    @overload
    def __init__(
        self,
        name: str,
        *,
        title: str,
        config: type[C],
        description: str = "",
        hosts: Sequence[str] = (),
        read_only: Sequence[str] = (),
        emits: Sequence[str] = (),
    ) -> None: ...

    def __init__(
        self,
        name: str,
        *,
        title: str,
        config: Any = NoConfig,
        description: str = "",
        hosts: Sequence[str] = (),
        read_only: Sequence[str] = (),
        emits: Sequence[str] = (),
    ) -> None:
        """
        - `name`: lower-case letters, digits and hyphens, beginning with a letter; at most 64.
        - `title`: for people, such as `QuickBooks Online`; `description`: what it is good for, in a few sentences.
        - `config`: a dataclass, filled from `config = { … }` of the configuration file. Its fields are in kebab-case
          there: `base_url` is `base-url`.
        - `hosts`: origins the plugin expects to reach; `${base-url}` stands for the configuration value of that name.
        - `read_only`: requests that only read although their method is a writing one: `POST /crm/*/search`.
        - `emits`: types of events that its actions bring in, with `*` for any characters.
        """
        _check_name("a plugin", name)
        self.name = name
        self.title = title
        self.description = description
        self.hosts = list(hosts)
        self.read_only = list(read_only)
        self.emits = list(emits)
        self.version = "0.0.0"
        """The build takes it from pyproject.toml."""
        self._reader = Reader(strict=True)
        self._lenient = Reader(strict=False)
        self._config = Reader(strict=True, kebab=True).shape(config)
        self._actions: dict[str, _Action] = {}
        self._streams: dict[str, _Stream] = {}

    def action(
        self,
        name: str,
        title: str,
        *,
        undo: str | None = None,
        idempotent: bool = False,
        description: str | None = None,
    ) -> Callable[[Callable[[I, Context[C]], R]], Callable[[I, Context[C]], R]]:
        """Declares an action. The function takes an input and a Context, or an Undo and a Context, and returns data;
        the types make the schemas, and its doc comment is the description.

        - `undo`: the action that undoes this one.
        - `idempotent`: doing it twice is the same as doing it once, by the nature of the system.
        """
        _check_name("an action", name)
        if name in self._actions:
            raise ValueError(f"action names are unique, but `{name}` is declared twice")

        def declare(run: Callable[[I, Context[C]], R]) -> Callable[[I, Context[C]], R]:
            types = _types(run, f"action `{name}`", "(input: Input, cx: Context[Config]) -> Output")
            # What an undo is given was checked when the action was done; an older version may have done it.
            reader = self._lenient if get_origin(types[0]) is Undo or types[0] is Undo else self._reader
            told = description or inspect.getdoc(run)
            try:
                given, output = reader.shape(types[0]), self._lenient.shape(types[-1])
            except TypeError as error:
                raise TypeError(f"action `{name}`: {error}") from None
            self._actions[name] = _Action(name, title, told, undo, idempotent, run, given, output)
            return run

        return declare

    def batch(
        self, of: Callable[[I, Context[C]], R], *, most: int
    ) -> Callable[[Callable[[list[Item[I, C]], Batch[C]], Sequence[R | Failure]]], Callable[[list[Item[I, C]], Batch[C]], Sequence[R | Failure]]]:
        """Declares that an action, declared before, takes several runs at once: `most` of them at most, 2 to 1000. Where a run
        goes alone the host calls the action itself.

            @plugin.batch(keep_contact, most=100)
            def keep_contacts(items: list[Item[Contact, Config]], cx: Batch[Config]) -> list[Kept | Failure]: ...

        The function is given the items whose input fits, and gives one result for each, in their order: what the action
        returns, or a Failure of that run alone. What it raises is the failure of all. Requests belong to the batch: name
        them as ever. The same batch comes again after a crash and while a write is in doubt, so what is sent must follow from
        the items alone.
        """
        action = next((action for action in self._actions.values() if action.run is of), None)
        if action is None:
            raise ValueError(f"a batch is of an action of this plugin, and `{getattr(of, '__name__', of)}` is none")
        if action.batch is not None:
            raise ValueError(f"the batch of `{action.name}` is declared twice")
        if not 2 <= most <= 1000:
            raise ValueError(f"the batch of `{action.name}` takes 2 to 1000 runs at most, not {most}")

        def declare(
            run: Callable[[list[Item[I, C]], Batch[C]], Sequence[R | Failure]],
        ) -> Callable[[list[Item[I, C]], Batch[C]], Sequence[R | Failure]]:
            action.batch = Together(most, run)
            return run

        return declare

    def poll(
        self, name: str, title: str, *, types: Sequence[str] = ()
    ) -> Callable[[Callable[[Poll[K], SourceContext[C]], Page[K]]], Callable[[Poll[K], SourceContext[C]], Page[K]]]:
        """Declares the function that reads the next page of a stream. The cursor is a type of yours, kept as JSON.
        `types` are those of the events that it brings in."""
        stream = self._stream(name, title, types)

        def declare(run: Callable[[Poll[K], SourceContext[C]], Page[K]]) -> Callable[[Poll[K], SourceContext[C]], Page[K]]:
            hint = _types(run, f"stream `{name}`", "(poll: Poll[Cursor], cx: SourceContext[Config]) -> Page[Cursor]")[0]
            stream.poll, stream.cursor = run, self._lenient.shape((get_args(hint) or (Any,))[0])
            return run

        return declare

    def receive(
        self, name: str, title: str, *, types: Sequence[str] = ()
    ) -> Callable[[Callable[[Inbound, SourceContext[C]], Received]], Callable[[Inbound, SourceContext[C]], Received]]:
        """Declares the function that turns a webhook into events. The host has verified the request already."""
        stream = self._stream(name, title, types)

        def declare(run: Callable[[Inbound, SourceContext[C]], Received]) -> Callable[[Inbound, SourceContext[C]], Received]:
            stream.receive = run
            return run

        return declare

    def _stream(self, name: str, title: str, types: Sequence[str]) -> _Stream:
        _check_name("a stream", name)
        stream = self._streams.setdefault(name, _Stream(name, title, []))
        stream.types = [*stream.types, *(kind for kind in types if kind not in stream.types)]
        return stream

    @property
    def world(self) -> str:
        """The world of the contract that the plugin belongs to: `connector`, `source` or `duplex`; with a batch `batching` or
        `batching-duplex`."""
        batching = any(action.batch for action in self._actions.values())
        if self._actions and self._streams:
            return "batching-duplex" if batching else "duplex"
        return "source" if self._streams else "batching" if batching else "connector"

    @property
    def exports(self) -> list[str]:
        """The interfaces of that world, but for `plugin`."""
        worlds = {
            "connector": ["actions"],
            "source": ["events"],
            "duplex": ["actions", "events"],
            "batching": ["actions", "batches"],
            "batching-duplex": ["actions", "batches", "events"],
        }
        return worlds[self.world]

    def descriptor(self) -> str:
        """JSON text under the published schema `descriptor.schema.json`."""
        told: dict[str, Any] = {"name": self.name, "version": self.version, "title": self.title}
        if self.description:
            told["description"] = self.description
        told["configuration"] = schema_of(self._config)
        for member, texts in (("hosts", self.hosts), ("read_only", self.read_only), ("emits", self.emits)):
            if texts:
                told[member] = texts
        if self._actions:
            told["actions"] = [self._describe(action) for action in self._actions.values()]
        if self._streams:
            told["streams"] = [
                {"name": s.name, "title": s.title, "poll": s.poll is not None, "receive": s.receive is not None}
                | ({"types": list(s.types)} if s.types else {})
                for s in self._streams.values()
            ]
        return to_json(told)

    def _describe(self, action: _Action) -> dict[str, Any]:
        told: dict[str, Any] = {"name": action.name, "title": action.title}
        schema = schema_of(action.input)
        # The doc comment of the input is the second place to say what the action does; in the schema it would stand
        # there once more.
        own = schema.pop("description", None)
        if _class_of(action.input) is Undo:
            own = None
        if action.description or own:
            told["description"] = action.description or own
        told["input"] = schema
        told["output"] = schema_of(action.output, output=True)
        if action.idempotent:
            told["idempotent"] = True
        if action.undo is not None:
            if action.undo not in self._actions:
                raise ValueError(f"`{action.name}` is undone by `{action.undo}`, which is not declared")
            told["undo"] = action.undo
        if action.batch is not None:
            told["batch"] = action.batch.most
        return told

    def invoke(self, action: str, input: str, context: str) -> Outcome:
        """Does an action; all are JSON texts, as in the contract. Raises Failure, and whatever the action raises."""
        found = self._actions.get(action) or _missing(self, "action", action)
        cx = self._context(parse(context, "context"))
        given = read(found.input, parse(input, "input"), "input")
        return _outcome(action, found.run(given, cx), cx)

    def invoke_batch(self, action: str, invocations: Sequence[tuple[str, str]]) -> list[Outcome | Failure]:
        """Does an action for several runs, of which each is the texts of an input and a context; gives what became of each, in
        their order."""
        found = self._actions.get(action)
        batch = found and found.batch
        if found is None or batch is None:
            raise Rejected(f"{self.name} takes one run of `{action}` at a time")
        outcomes: dict[int, Outcome | Failure] = {}
        items: list[Item[Any, C]] = []
        for place, (input, context) in enumerate(invocations):
            try:
                cx = self._context(parse(context, "context"))
                items.append(Item(read(found.input, parse(input, "input"), "input"), cx, place))
            except Failure as failure:
                outcomes[place] = failure
        for item, result in zip(items, _shared(batch, items), strict=True):
            try:
                if isinstance(result, Exception):
                    raise result
                outcomes[item.place] = _outcome(action, result, item.cx)
            except Exception as error:
                outcomes[item.place] = failure_of(error)
        return [outcomes[place] for place in range(len(invocations))]

    def poll_page(self, stream: str, cursor: str | None, limit: int, context: str) -> PageText:
        """Reads a page of a stream, as in the contract."""
        found = self._streams.get(stream)
        if found is None or found.poll is None or found.cursor is None:
            _missing(self, "stream to poll", stream)
        at = None if cursor is None else read(found.cursor, parse(cursor, "cursor"), "cursor")
        page = cast("Page[Any]", found.poll(Poll[Any](at, limit), self._source_context(parse(context, "context"))))
        try:
            next_cursor = None if page.next_cursor is None else to_json(page.next_cursor)
            aside = [(to_json(record.record), record.reason) for record in page.set_aside]
            return PageText(_texts(page.events), next_cursor, page.more, aside)
        except (TypeError, ValueError) as error:
            raise Rejected(f"the page of `{stream}` can't be told as JSON: {error}") from error

    def receive_request(self, stream: str, request: Inbound, context: str) -> tuple[list[str], Received]:
        """Turns a webhook into texts of events, as in the contract."""
        found = self._streams.get(stream)
        if found is None or found.receive is None:
            _missing(self, "stream to receive", stream)
        received = cast(Received, found.receive(request, self._source_context(parse(context, "context"))))
        try:
            return _texts(received.events), received
        except (TypeError, ValueError) as error:
            raise Rejected(f"the events of `{stream}` can't be told as JSON: {error}") from error

    def _context(self, wire: dict[str, Any]) -> Context[C]:
        run, step = wire["run"], wire["step"]
        return Context(
            config=read(self._config, wire["configuration"], "configuration"),
            event=Event.of(wire["event"]),
            run=Run(run["id"], run.get("root", ""), run.get("route", "")),
            step=Step(step["name"], step.get("uses", ""), step.get("round", 0)),
            attempt=wire["attempt"],
            idempotency_key=wire["idempotency_key"],
            deadline=_moment(wire["deadline"]),
            traceparent=wire.get("traceparent"),
        )

    def _source_context(self, wire: dict[str, Any]) -> SourceContext[C]:
        since = wire.get("since")
        return SourceContext(
            config=read(self._config, wire["configuration"], "configuration"),
            source=wire["source"],
            since=None if since is None else _moment(since),
            deadline=_moment(wire["deadline"]),
            traceparent=wire.get("traceparent"),
        )


def _outcome(action: str, output: Any, cx: Context[Any]) -> Outcome:
    try:
        return Outcome(to_json(output), [event.to_text() for event in cx.emitted])
    except (TypeError, ValueError) as error:
        raise Rejected(f"what `{action}` returned can't be told as JSON: {error}") from error


def _shared(batch: Together, items: list[Item[Any, Any]]) -> list[Any]:
    """A result for each of the items; what ends all of them at once is the result of each."""
    if not items:
        return []
    try:
        results = list(batch.run(items, Batch(items[0].cx.config, items[0].cx.deadline)))
        if len(results) != len(items):
            raise TypeError(f"a batch gives one result for each item, but of {len(items)} items it gave {len(results)}")
    except Exception as error:
        failure = failure_of(error)
        return [failure for _ in items]
    return results


def _moment(text: str) -> datetime:
    # Python 3.10 knows neither Z nor fractions of other than three or six digits.
    head, dot, rest = text.replace("Z", "+00:00").partition(".")
    if dot:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        head += "." + digits[:6].ljust(6, "0") + rest[len(digits) :]
    return datetime.fromisoformat(head)


def _texts(events: list[NewEvent]) -> list[str]:
    return [event.to_text() for event in events]


def _missing(plugin: Plugin[Any], what: str, name: str) -> NoReturn:
    raise Rejected(f"{plugin.name} has no {what} `{name}`")


def _class_of(shape: Shape) -> Any:
    while isinstance(shape, Noted):
        shape = shape.shape
    return shape.cls if isinstance(shape, Record) else None


def _types(run: Callable[..., Any], what: str, wanted: str) -> list[Any]:
    """The types of a function's two parameters and of what it returns."""
    try:
        hints = get_type_hints(run, include_extras=True)
    except NameError as error:
        raise TypeError(f"{what}: {error}. Types stand at the top of a module, before the functions that use them") from None
    names = list(inspect.signature(run).parameters)
    absent = [name for name in (names[:1] + ["return"]) if name not in hints]
    if len(names) != 2 or absent:
        raise TypeError(f"{what}: `{run.__name__}` needs types for what it takes and returns, such as {wanted}")
    return [hints[names[0]], hints.get(names[1]), hints["return"]]


def _check_name(what: str, name: str) -> None:
    letters = "abcdefghijklmnopqrstuvwxyz"
    if not name or len(name) > 64 or name[0] not in letters or name.strip(letters + "0123456789-"):
        raise ValueError(f"the name of {what} has lower-case letters, digits and hyphens, and begins with a letter: not {name!r}")


__all__ = ["Failure", "NoConfig", "Outcome", "PageText", "Plugin"]
