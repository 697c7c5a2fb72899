"""What a call knows, and its way outside."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Generic, TypeVar

from . import host, http
from .event import Event, NewEvent
from .http import Headers, Nameless, Query, Response

C = TypeVar("C")


@dataclass(frozen=True)
class Run:
    """The run that a call belongs to."""

    id: str
    """UUIDv7."""
    root: str
    """The first run of its line; its own id where it is no replay."""
    route: str


@dataclass(frozen=True)
class Step:
    """The step that a call belongs to."""

    name: str
    """Its name in the route."""
    uses: str
    """`plugin.action`."""
    round: int
    """Of a step with `repeat`."""


class _Requests:
    def get(
        self,
        url: str,
        *,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: timedelta | float | None = None,
    ) -> Response:
        """A GET; see `http.request`."""
        return http.request("GET", url, query=query, headers=headers, timeout=timeout)

    def post(
        self,
        url: str,
        *,
        name: str | Nameless,
        query: Query | None = None,
        headers: Headers | None = None,
        json: object = ...,
        form: Mapping[str, object] | None = None,
        text: str | None = None,
        body: bytes | None = None,
        timeout: timedelta | float | None = None,
    ) -> Response:
        """A POST; `name` is what this write is called among those of its step. See `http.request`."""
        return http.request(
            "POST", url, name=name, query=query, headers=headers, json=json, form=form, text=text, body=body, timeout=timeout
        )


class Writes(_Requests):
    """Requests of those who may write."""

    def put(
        self,
        url: str,
        *,
        name: str | Nameless,
        query: Query | None = None,
        headers: Headers | None = None,
        json: object = ...,
        form: Mapping[str, object] | None = None,
        text: str | None = None,
        body: bytes | None = None,
        timeout: timedelta | float | None = None,
    ) -> Response:
        """A PUT; `name` is what this write is called among those of its step. See `http.request`."""
        return http.request(
            "PUT", url, name=name, query=query, headers=headers, json=json, form=form, text=text, body=body, timeout=timeout
        )

    def patch(
        self,
        url: str,
        *,
        name: str | Nameless,
        query: Query | None = None,
        headers: Headers | None = None,
        json: object = ...,
        form: Mapping[str, object] | None = None,
        text: str | None = None,
        body: bytes | None = None,
        timeout: timedelta | float | None = None,
    ) -> Response:
        """A PATCH; `name` is what this write is called among those of its step. See `http.request`."""
        return http.request(
            "PATCH", url, name=name, query=query, headers=headers, json=json, form=form, text=text, body=body, timeout=timeout
        )

    def delete(
        self,
        url: str,
        *,
        name: str | Nameless,
        query: Query | None = None,
        headers: Headers | None = None,
        timeout: timedelta | float | None = None,
    ) -> Response:
        """A DELETE; `name` is what this write is called among those of its step. See `http.request`."""
        return http.request("DELETE", url, name=name, query=query, headers=headers, timeout=timeout)


@dataclass(frozen=True)
class Context(Writes, Generic[C]):
    """What an action knows of its call.

    The same call may come again after a crash or a failure. Then the input is the same, clocks and random numbers come
    out the same, writes that succeeded are answered from the journal, and reads are live.
    """

    config: C
    """The plugin's configuration."""
    event: Event
    """The event that the run handles."""
    run: Run
    step: Step
    attempt: int
    """From 1."""
    idempotency_key: str
    """A UUID, the same on every attempt of the step. Keys of single writes: `key`."""
    deadline: datetime
    """On the clock that the plugin sees."""
    traceparent: str | None
    """W3C Trace Context, where there is one."""
    emitted: list[NewEvent] = field(default_factory=list[NewEvent])

    @property
    def first_attempt(self) -> bool:
        """Whether nothing of this step can have been written before: a replay counts attempts from 1 again, but shares
        the journal, and the doubts, of the runs before it."""
        return self.attempt <= 1 and self.run.root in ("", self.run.id)

    def key(self, name: str) -> str:
        """The idempotency key of the write of that name, before it is sent: a UUID of 36 ASCII characters, for systems
        that want it in the URL or the body. Others get it as the header `Idempotency-Key` without asking."""
        return host.present().key(name)

    def emit(
        self,
        type: str,
        data: object,
        *,
        id: str | None = None,
        subject: str | None = None,
        time: datetime | str | None = None,
        attributes: dict[str, Any] | None = None,
    ) -> None:
        """Brings an event in, together with the success of the step or not at all. Its type must be granted with
        `emits`. Without an `id` the host derives one from the step."""
        self.emitted.append(NewEvent(type, data, id, subject, time, attributes or {}))


@dataclass(frozen=True)
class SourceContext(_Requests, Generic[C]):
    """What a stream knows of its call. Streams may only read: a POST is a search, `name=READ_ONLY`."""

    config: C
    """The plugin's configuration."""
    source: str
    """Name of the source."""
    since: datetime | None
    """Where the first poll starts."""
    deadline: datetime
    traceparent: str | None
    """W3C Trace Context, where there is one."""
