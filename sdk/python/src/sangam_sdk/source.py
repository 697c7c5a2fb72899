"""Streams: what a plugin that brings events in is asked, and what it answers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar, overload

from .event import NewEvent
from .reader import ANSWERS, parse, read

C = TypeVar("C")
T = TypeVar("T")


@dataclass(frozen=True)
class Poll(Generic[C]):
    """What a poll is asked for."""

    cursor: C | None
    """Where to start; None the first time: then start at the context's `since`."""
    limit: int
    """The most events wanted."""


@dataclass(frozen=True)
class SetAside:
    """A record that can't be made into an event. It is kept with its reason, shown, and stops nothing."""

    record: object
    """As it came; at most 64 KiB of JSON."""
    reason: str


@dataclass(frozen=True)
class Page(Generic[C]):
    """One page of a stream."""

    events: list[NewEvent] = field(default_factory=list[NewEvent])
    """Oldest first. Give each an `id` made of the record and its version, and a `time`."""
    next_cursor: C | None = None
    """Where the next poll starts; kept only together with the events. None keeps the present one."""
    more: bool = False
    """There is more now: poll again at once."""
    set_aside: list[SetAside] = field(default_factory=list[SetAside])


@dataclass(frozen=True)
class Inbound:
    """A request that came in at `POST /hooks/SOURCE`, already verified."""

    method: str
    path: str
    """Path and query as they came."""
    headers: list[tuple[str, bytes]]
    """Names in lower case, in the order they came."""
    body: bytes

    @overload
    def json(self) -> Any: ...

    @overload
    def json(self, type: type[T]) -> T: ...

    def json(self, type: Any = Any) -> Any:
        """The body as that type (members that it does not have are skipped), or as plain values. Raises Rejected with
        the path of the field that does not fit."""
        value = parse(self.body, "body")
        return value if type is Any else read(ANSWERS.shape(type), value, "body")

    def header(self, name: str) -> str | None:
        """The first header of that name."""
        name = name.lower()
        return next((value.decode("latin-1") for present, value in self.headers if present == name), None)


@dataclass(frozen=True)
class Received:
    """What a webhook comes to: events, accepted before the sender is answered, and the answer."""

    events: list[NewEvent] = field(default_factory=list[NewEvent])
    status: int = 200
    headers: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    body: bytes = b""
