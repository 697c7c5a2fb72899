# pyright: reportMissingModuleSource=false
"""Within a component: from the contract's functions to the plugin. Only the build imports this."""

from __future__ import annotations

import gc
import importlib
import io
import linecache
import os
import sys
from typing import Any, NoReturn, cast

from componentize_py_types import Err, Ok
from wit_world.imports import http, key_value, log, types

from . import host
from . import log as journal
from . import warm
from .failure import Failure
from .plugin import Plugin as Declared
from .uncaught import failure_of, look_in

_Error = cast("type[Err[Any]]", Err)
_plugin: Declared[Any]
_descriptor: str


class _Functions:
    """The imports of the contract."""

    def send(self, request: host.Request) -> host.Answer:
        wire = http.Request(
            request.method, request.url, request.headers, request.body, request.timeout_ms, request.name, request.read_only
        )
        try:
            answer = http.send(wire)
        except _Error as error:
            raise host.NoAnswer(_kind(error.value), str(error.value.value)) from None
        return host.Answer(answer.status, answer.headers, answer.body)

    def key(self, name: str) -> str:
        return http.key(name)

    def kv_get(self, key: str) -> bytes | None:
        try:
            return key_value.get(key)
        except _Error as error:
            _kv(error)

    def kv_set(self, key: str, value: bytes) -> None:
        try:
            key_value.set(key, value)
        except _Error as error:
            _kv(error)

    def kv_delete(self, key: str) -> None:
        try:
            key_value.delete(key)
        except _Error as error:
            _kv(error)

    def kv_increment(self, key: str, delta: int) -> int:
        try:
            return key_value.increment(key, delta)
        except _Error as error:
            _kv(error)

    def kv_compare_and_swap(self, key: str, expected: bytes | None, value: bytes) -> bool:
        try:
            return key_value.compare_and_swap(key, expected, value)
        except _Error as error:
            _kv(error)

    def kv_list(self, prefix: str, cursor: str | None, limit: int) -> host.Keys:
        try:
            page = key_value.list(prefix, cursor, limit)
        except _Error as error:
            _kv(error)
        return host.Keys(page.keys, page.next_cursor)

    def log(self, level: host.Level, message: str, fields: list[tuple[str, str]]) -> None:
        log.log(_LEVELS[level], message, fields)


_LEVELS: dict[str, Any] = {
    "trace": log.Level.TRACE,
    "debug": log.Level.DEBUG,
    "info": log.Level.INFO,
    "warn": log.Level.WARN,
    "error": log.Level.ERROR,
}

_KINDS: dict[str, Any] = {
    "Error_Denied": "denied",
    "Error_InvalidRequest": "invalid-request",
    "Error_NameUsed": "name-used",
    "Error_Timeout": "timeout",
    "Error_Connection": "connection",
    "Error_ResponseTooLarge": "response-too-large",
    "Error_TooManyCalls": "too-many-calls",
    "Error_Unavailable": "unavailable",
    "Error_NotClaimed": "not-claimed",
    "Error_TooLarge": "too-large",
    "Error_Full": "full",
    "Error_Invalid": "invalid",
}


def _kind(error: Any) -> Any:
    return _KINDS.get(type(error).__name__, "other")


def _kv(error: Err[Any]) -> NoReturn:
    raise host.KeyValueError(_kind(error.value), str(error.value.value)) from None


def load(module: str, version: str) -> None:
    """Imports the connector's module, while the component is built: what is there now is there in every call."""
    global _plugin, _descriptor
    host.enter(_Functions())
    journal.install()
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(line_buffering=True)  # a call that is stopped has said what it printed; and in the order of the log
    # On the way to a failure; a call that ends in one must not be the first to ask for them.
    importlib.import_module("traceback")
    for name in ("ascii", "latin_1", "utf_8_sig", "cp1252", "utf_16", "idna"):
        importlib.import_module(f"encodings.{name}")
    for name in ("_strptime", "email.message", "email.parser"):
        importlib.import_module(name)
    members: list[Any] = list(vars(importlib.import_module(module)).values())
    found = [cast("Declared[Any]", value) for value in members if isinstance(value, Declared)]
    _plugin = found[0]  # the build has looked that there is one
    _plugin.version = version
    _descriptor = _plugin.descriptor()
    for export in _plugin.exports:
        importlib.import_module(f"wit_world.exports.{export}")
    _keep_sources(module)


def finish() -> None:
    """The last word of the build."""
    warm.up()
    # Whatever was made up to here stays: a collection in a call would touch all of it, page by page, to find nothing.
    gc.collect()
    gc.freeze()


def _keep_sources(module: str) -> None:
    """Tracebacks show lines of the connector's own modules, though there are no files in a component."""
    own = os.path.dirname(sys.modules[module].__file__ or "")
    look_in(own + "/")
    for imported in list(sys.modules.values()):
        file = getattr(imported, "__file__", None)
        if file and file.startswith(own + "/") and not imported.__name__.startswith("sangam_"):
            with open(file, encoding="utf-8") as source:
                lines = source.read().splitlines(keepends=True)
            # Without a time of change it is never compared with the file.
            linecache.cache[file] = (sum(map(len, lines)), None, lines, file)


def _start() -> None:
    """What was drawn while the component was built is drawn anew: it would be the same in every run."""
    random: Any = sys.modules.get("random")
    if random is not None:
        random.seed(int.from_bytes(os.urandom(32), "big"))  # of bytes it would make a hash first


def _fail(error: BaseException) -> NoReturn:
    raise _err(failure_of(error)) from None


def _err(failure: Failure) -> Err[Any]:
    problem = types.Problem(failure.reason, _milliseconds(failure), _details(failure))
    match failure.kind:
        case "retry":
            return Err(types.Failure_Retry(problem))
        case "rate-limited":
            return Err(types.Failure_RateLimited(problem))
        case "unauthorized":
            return Err(types.Failure_Unauthorized(problem))
        case "rejected":
            return Err(types.Failure_Rejected(problem))


def _milliseconds(failure: Failure) -> int | None:
    return None if failure.after is None else max(round(failure.after.total_seconds() * 1000), 0)


def _details(failure: Failure) -> str | None:
    if failure.details is None:
        return None
    from .encode import to_json

    try:
        return to_json(failure.details)
    except (TypeError, ValueError):
        return to_json(repr(failure.details))


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        if stream is not None:
            stream.flush()


class Plugin:
    """The export `plugin`."""

    def describe(self) -> str:
        return _descriptor


class Actions:
    """The export `actions`."""

    def invoke(self, action: str, input: str, context: str) -> Any:
        from wit_world.exports import actions

        _start()
        try:
            outcome = _plugin.invoke(action, input, context)
        except BaseException as error:
            _fail(error)
        finally:
            _flush()
        return actions.Output(outcome.data, outcome.events)


class Batches:
    """The export `batches`."""

    def invoke_batch(self, action: str, invocations: list[Any]) -> list[Any]:
        from wit_world.exports import batches

        _start()
        try:
            outcomes = _plugin.invoke_batch(action, [(one.input, one.context) for one in invocations])
        except BaseException as error:
            failure = failure_of(error)
            outcomes = [failure for _ in invocations]
        finally:
            _flush()
        return [_err(one) if isinstance(one, Failure) else Ok(batches.Output(one.data, one.events)) for one in outcomes]


class Events:
    """The export `events`."""

    def poll(self, stream: str, cursor: str | None, limit: int, context: str) -> Any:
        from wit_world.exports import events

        _start()
        try:
            page = _plugin.poll_page(stream, cursor, limit, context)
        except BaseException as error:
            _fail(error)
        finally:
            _flush()
        aside = [events.RejectedRecord(data, reason) for data, reason in page.set_aside]
        return events.Page(page.events, page.next_cursor, page.more, aside)

    def receive(self, stream: str, request: Any, context: str) -> Any:
        from wit_world.exports import events

        from .source import Inbound

        _start()
        try:
            inbound = Inbound(request.method, request.path, request.headers, request.body)
            texts, received = _plugin.receive_request(stream, inbound, context)
        except BaseException as error:
            _fail(error)
        finally:
            _flush()
        return events.Received(texts, events.InboundResponse(received.status, received.headers, received.body))
