"""Tests of a connector with plain pytest: no component and no host, a system that your test scripts.

    from sangam_sdk import testing
    from connector import plugin

    def test_the_greeting_is_sent_once():
        host = testing.Host(lambda request: testing.json(201, {"id": 1}), config={"base-url": "https://a.example"})
        assert host.invoke(plugin, "greet", {"name": "Ada"}) == {"id": 1}
        assert host.sent[0].json() == {"to": "Ada"}
        host.attempt = 2  # try again: a named write that succeeded is answered from the journal
        assert host.invoke(plugin, "greet", {"name": "Ada"}) == {"id": 1}
        assert len(host.sent) == 1

The host keeps between calls what the journal keeps. It checks neither schemas nor grants; `sangam check` and `sangam plugin test` do.
"""

from __future__ import annotations

import json as _json
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any
from urllib.parse import parse_qsl, urlsplit
from uuid import NAMESPACE_URL, uuid5

from . import host as _host
from .encode import plain, to_json
from .failure import Failure
from .host import NoAnswer
from .http import Response
from .plugin import Plugin
from .source import Inbound, Page, Received


def key(name: str) -> str:
    """The key that a Host gives to the write of that name."""
    return str(uuid5(NAMESPACE_URL, f"sangam:{name}"))


@dataclass
class Sent:
    """A request that left the connector."""

    method: str
    url: str
    """With its query."""
    headers: list[tuple[str, bytes]]
    """As the connector set them."""
    body: bytes
    name: str | None
    """The name of the write."""
    key: str | None
    """The idempotency key of a named write."""
    read_only: bool
    """Marked as only reading."""

    @property
    def path(self) -> str:
        """The URL without scheme, host and query."""
        return urlsplit(self.url).path

    @property
    def query(self) -> dict[str, str]:
        """The parameters of the query, decoded."""
        return dict(parse_qsl(urlsplit(self.url).query, keep_blank_values=True))

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    def json(self) -> Any:
        """The body as JSON; None where there is none."""
        return _json.loads(self.body, parse_float=Decimal) if self.body else None

    def header(self, name: str) -> str | None:
        """The header of that name."""
        return next((value.decode("latin-1") for present, value in self.headers if present.lower() == name.lower()), None)

    @property
    def writes(self) -> bool:
        """Whether it may change something."""
        return not self.read_only and self.method not in ("GET", "HEAD", "OPTIONS")


@dataclass
class LogLine:
    """A line of the log."""

    level: str
    message: str
    fields: dict[str, str]


def json(status: int, body: object = None, headers: Mapping[str, str] | None = None) -> Response:
    """An answer with a JSON body."""
    return text(status, to_json(body), {"content-type": "application/json", **(headers or {})})


def text(status: int, body: str | bytes = "", headers: Mapping[str, str] | None = None) -> Response:
    """An answer."""
    pairs = [(name.lower(), value.encode("latin-1")) for name, value in (headers or {}).items()]
    return Response(status, pairs, body.encode() if isinstance(body, str) else body)


System = Callable[[Sent], "Response | NoAnswer"]


def _silent(request: Sent) -> Response:
    raise AssertionError(f"no request was expected, but there is {request.method} {request.url}")


_EVENT: dict[str, Any] = {"specversion": "1.0", "id": "1", "source": "/test", "type": "test", "data": None}


@dataclass
class Host:
    """A stand-in for the host, for one step: it keeps what the step did between calls, as the journal does.

    A named write that succeeded is answered from the journal on attempts after the first. Key-value writes stay where
    the call succeeded. A write from a stream is denied.
    """

    system: System = _silent
    """Answers requests, with `json`, `text`, or a NoAnswer (returned or raised)."""
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    """The plugin's configuration, as in the configuration file."""
    event: dict[str, Any] = field(default_factory=lambda: dict(_EVENT))
    """The CloudEvent of the run, with `data`."""
    attempt: int = 1
    """Raise it to try again."""
    since: str | None = None
    """`since` of a poll."""
    store: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """The key-value space."""
    sent: list[Sent] = field(default_factory=list[Sent])
    """Every request that reached the system, of all calls."""
    lines: list[LogLine] = field(default_factory=list[LogLine])
    """Every line of the log."""
    events: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    """Events that succeeded calls brought in, as CloudEvents."""
    _journal: dict[str, tuple[Sent, Response | None]] = field(default_factory=dict[str, "tuple[Sent, Response | None]"], repr=False)
    _done_now: set[str] = field(default_factory=set[str], repr=False)
    _undoing: bool = field(default=False, repr=False)
    _may_write: bool = field(default=True, repr=False)
    _last: tuple[Any, Any] | None = field(default=None, repr=False)

    def invoke(self, plugin: Plugin[Any], action: str, input: object) -> Any:
        """Does an action; input and output are JSON values (dataclasses are taken too). Raises what the action raises:
        a Failure, or whatever it did not catch."""
        given = plain(input)
        self._last = (given, None)
        output = self._invoke(plugin, action, given)
        self._last = (given, output)
        return output

    def invoke_batch(self, plugin: Plugin[Any], action: str, inputs: Sequence[object]) -> list[Any]:
        """Does an action for several runs at once, each with an id and a key of its own; the journal is the batch's. Gives what
        became of each: its output, or its Failure."""
        runs = [f"run-{place + 1}" for place in range(len(inputs))]
        invocations = [(to_json(plain(given)), self._context(plugin, action, run, key(run))) for given, run in zip(inputs, runs, strict=True)]
        with self._call(may_write=True):
            outcomes = plugin.invoke_batch(action, invocations)
        results: list[Any] = []
        for outcome in outcomes:
            if isinstance(outcome, Failure):
                results.append(outcome)
                continue
            self.events += [_json.loads(event, parse_float=Decimal) for event in outcome.events]
            results.append(_json.loads(outcome.data, parse_float=Decimal))
        return results

    def undo(self, plugin: Plugin[Any], action: str) -> Any:
        """Does an action that undoes what `invoke` did last, with the input, output and effects that the host would
        give it."""
        if self._last is None:
            raise AssertionError("nothing was done that could be undone")
        effects: list[dict[str, Any]] = [
            {
                "name": sent.name,
                "key": sent.key,
                "state": "in-doubt" if answer is None or answer.status >= 500 else "done" if answer.is_success else "failed",
                "request": {"method": sent.method, "url": sent.url, "headers": {}, "body": sent.text},
                "response": None if answer is None else {"status": answer.status, "headers": {}, "body": answer.text},
            }
            for sent, answer in self._journal.values()
        ]
        journal, attempt, self._journal, self.attempt = self._journal, self.attempt, {}, 1
        try:
            return self._invoke(plugin, action, {"input": self._last[0], "output": self._last[1], "effects": effects})
        finally:
            self._journal, self.attempt = journal, attempt

    def poll(self, plugin: Plugin[Any], stream: str, cursor: object = None, limit: int = 100) -> Page[Any]:
        """Reads the next page of a stream. Cursors are JSON values; the events go to `events` and not into the page."""
        text = None if cursor is None else to_json(cursor)
        with self._call(may_write=False):
            page = plugin.poll_page(stream, text, limit, self._source_context())
        self.events += [_json.loads(event, parse_float=Decimal) for event in page.events]
        return Page([], None if page.next_cursor is None else _json.loads(page.next_cursor), page.more)

    def receive(self, plugin: Plugin[Any], stream: str, request: Inbound) -> Received:
        """Hands a webhook to a stream. The events go to `events` too."""
        with self._call(may_write=False):
            texts, received = plugin.receive_request(stream, request, self._source_context())
        self.events += [_json.loads(event, parse_float=Decimal) for event in texts]
        return received

    def _invoke(self, plugin: Plugin[Any], action: str, input: object) -> Any:
        with self._call(may_write=True):
            outcome = plugin.invoke(action, to_json(input), self._context(plugin, action, "run-1", key("")))
        self.events += [_json.loads(event, parse_float=Decimal) for event in outcome.events]
        return _json.loads(outcome.data, parse_float=Decimal)

    def _context(self, plugin: Plugin[Any], action: str, run: str, idempotency_key: str) -> str:
        return to_json(
            {
                "event": self.event,
                "run": {"id": run, "root": run, "route": "test"},
                "step": {"name": "test", "uses": f"{plugin.name}.{action}", "round": 0},
                "attempt": self.attempt,
                "idempotency_key": idempotency_key,
                "deadline": "2100-01-01T00:00:00Z",
                "configuration": self.config,
            }
        )

    def _source_context(self) -> str:
        told = {"source": "test", "since": self.since, "deadline": "2100-01-01T00:00:00Z", "configuration": self.config}
        return to_json(told)

    @contextmanager
    def _call(self, may_write: bool) -> Generator[None, None, None]:
        self._may_write = may_write
        self._done_now = set()
        store = dict(self.store)
        before = _host.enter(_Functions(self))
        try:
            yield
        except BaseException:
            self.store = store
            raise
        finally:
            _host.enter(before)

    def _send(self, request: _host.Request) -> _host.Answer:
        name = request.name
        sent = Sent(
            request.method,
            request.url,
            request.headers,
            request.body,
            name,
            None if name is None else key(name),
            request.read_only,
        )
        if sent.writes and not self._may_write:
            raise NoAnswer("denied", "streams may only read")
        if sent.writes and name is not None:
            if name in self._done_now:
                raise NoAnswer("name-used", name)
            recorded = self._journal.get(name, (sent, None))[1]
            if self.attempt > 1 and recorded is not None and recorded.is_success:
                self._done_now.add(name)
                return _host.Answer(recorded.status, recorded.headers, recorded.body)
            self._journal[name] = (sent, None)
        self.sent.append(sent)
        answer = self.system(sent)
        if isinstance(answer, NoAnswer):
            raise answer
        if sent.writes and name is not None:
            self._journal[name] = (sent, answer)
            if answer.is_success:
                self._done_now.add(name)
        return _host.Answer(answer.status, answer.headers, answer.body)


class _Functions:
    """The functions of the contract, over a Host."""

    def __init__(self, host: Host) -> None:
        self._host = host

    def send(self, request: _host.Request) -> _host.Answer:
        return self._host._send(request)  # pyright: ignore[reportPrivateUsage]

    def key(self, name: str) -> str:
        return key(name)

    def kv_get(self, key: str) -> bytes | None:
        return self._host.store.get(key)

    def kv_set(self, key: str, value: bytes) -> None:
        if not key or len(key.encode()) > 512 or len(value) > 256 * 1024:
            raise _host.KeyValueError("too-large", "keys have 1 to 512 bytes, values up to 256 KiB")
        self._host.store[key] = value

    def kv_delete(self, key: str) -> None:
        self._host.store.pop(key, None)

    def kv_increment(self, key: str, delta: int) -> int:
        try:
            total = int(self._host.store.get(key, b"0")) + delta
        except ValueError:
            raise _host.KeyValueError("invalid", "not a number") from None
        self._host.store[key] = str(total).encode()
        return total

    def kv_compare_and_swap(self, key: str, expected: bytes | None, value: bytes) -> bool:
        if self._host.store.get(key) != expected:
            return False
        self.kv_set(key, value)
        return True

    def kv_list(self, prefix: str, cursor: str | None, limit: int) -> _host.Keys:
        limit = min(max(limit, 1), 1000)
        found = sorted(key for key in self._host.store if key.startswith(prefix) and (cursor is None or key > cursor))
        return _host.Keys(found[:limit], found[limit - 1] if len(found) > limit else None)

    def log(self, level: _host.Level, message: str, fields: list[tuple[str, str]]) -> None:
        self._host.lines.append(LogLine(level, message, dict(fields)))


__all__ = ["Host", "LogLine", "NoAnswer", "Sent", "json", "key", "text"]
