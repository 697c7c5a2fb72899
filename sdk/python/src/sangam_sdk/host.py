"""The functions of the host that a plugin may call: in a component those of the contract, in tests a stand-in."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, Protocol

from .failure import Failure, Rejected, Retry


@dataclass
class Request:
    """A request as it crosses the boundary."""

    method: str
    url: str
    headers: list[tuple[str, bytes]] = field(default_factory=list[tuple[str, bytes]])
    body: bytes = b""
    timeout_ms: int | None = None
    name: str | None = None
    read_only: bool = False


@dataclass
class Answer:
    """A complete answer as it crosses the boundary."""

    status: int
    headers: list[tuple[str, bytes]]
    body: bytes


@dataclass
class Keys:
    """A page of keys of the key-value space."""

    keys: list[str]
    """In byte order."""
    next_cursor: str | None
    """Give it to the next call; None at the end."""


NoAnswerKind = Literal[
    "denied",
    "invalid-request",
    "name-used",
    "timeout",
    "connection",
    "response-too-large",
    "too-many-calls",
    "unavailable",
    "other",
]


class NoAnswer(Exception):
    """Why a request has no answer."""

    def __init__(self, kind: NoAnswerKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: NoAnswerKind = kind
        self.detail = detail

    def failure(self, to: str) -> Failure:
        """What becomes of a call that can't do without the answer; `to` is method and URL."""
        why = self.detail
        match self.kind:
            case "denied":
                return Rejected(f"{to} is not allowed: {why}")
            case "invalid-request":
                return Rejected(f"{to} is no valid request: {why}")
            case "name-used":
                return Rejected(f"{to}: this step has already written `{why}`; each write needs its own name")
            case "too-many-calls":
                return Rejected(f"{to} would be more than the {why} requests of one call (`http-calls`)")
            case "timeout":
                return Retry(f"{to} was not answered in time: {why}")
            case "connection":
                return Retry(f"{to} failed: {why}")
            case "response-too-large":
                return Retry(f"{to} was answered with more than {why} bytes (`response-size`)")
            case _:
                return Retry(f"{to} was not sent: {why}")


KeyValueErrorKind = Literal["not-claimed", "too-large", "full", "invalid", "unavailable", "other"]


class KeyValueError(Exception):
    """Why an operation on the key-value space failed."""

    def __init__(self, kind: KeyValueErrorKind, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind: KeyValueErrorKind = kind
        self.detail = detail

    def failure(self, key: str) -> Failure:
        """What becomes of a call that can't do without it."""
        why = self.detail
        match self.kind:
            case "not-claimed":
                return Rejected(f"key `{key}` was first read after a write: read all keys before")
            case "too-large":
                return Rejected(f"key `{key}` or its value is too large: {why}")
            case "full":
                return Rejected(f"key `{key}`: the plugin's space is full (`key-value-size`): {why}")
            case "invalid":
                return Rejected(f"key `{key}`: {why}")
            case _:
                return Retry(f"key `{key}`: {why}")


Level = Literal["trace", "debug", "info", "warn", "error"]


class Functions(Protocol):
    """What the host offers. Errors are raised as NoAnswer and KeyValueError."""

    def send(self, request: Request) -> Answer: ...

    def key(self, name: str) -> str: ...

    def kv_get(self, key: str) -> bytes | None: ...

    def kv_set(self, key: str, value: bytes) -> None: ...

    def kv_delete(self, key: str) -> None: ...

    def kv_increment(self, key: str, delta: int) -> int: ...

    def kv_compare_and_swap(self, key: str, expected: bytes | None, value: bytes) -> bool: ...

    def kv_list(self, prefix: str, cursor: str | None, limit: int) -> Keys: ...

    def log(self, level: Level, message: str, fields: list[tuple[str, str]]) -> None: ...


_present: Functions | None = None


def present() -> Functions:
    """The host of the call that runs now."""
    if _present is None:
        raise RuntimeError("no host: outside of a component, call actions through sangam_sdk.testing.Host")
    return _present


def enter(functions: Functions | None) -> Functions | None:
    """Makes that the present host, and gives the one before."""
    global _present
    before, _present = _present, functions
    return before
