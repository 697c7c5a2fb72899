"""A small durable store, one space for each plugin, shared by all its runs.

Writes take effect together with the success of the step (or with the events of a poll), and not at all otherwise.
Reading, computing and writing back is safe: if another run changes a key in between, the attempt is made again.
**Read first:** once the step has sent a write, reading a key it had not read before is refused.

Keys have up to 512 bytes, values 256 KiB. All failures are Rejected, but Retry where the store can't be reached.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, overload

from . import host
from .encode import to_json
from .host import Keys
from .reader import ANSWERS, parse, read

T = TypeVar("T")


def get(key: str) -> bytes | None:
    """The value of a key; None if there is none."""
    return _try(key, lambda functions: functions.kv_get(key))


@overload
def get_json(key: str) -> Any: ...


@overload
def get_json(key: str, type: type[T]) -> T | None: ...


def get_json(key: str, type: Any = Any) -> Any:
    """The value of a key as that type, or as plain values; None if there is none."""
    value = get(key)
    if value is None:
        return None
    plain = parse(value, f"key `{key}`")
    return plain if type is Any else read(ANSWERS.shape(type), plain, f"key `{key}`")


def set(key: str, value: bytes | str) -> None:
    """Sets a value. Without reading the key before, the last one counts."""
    wire = value.encode("utf-8") if isinstance(value, str) else value
    _try(key, lambda functions: functions.kv_set(key, wire))


def set_json(key: str, value: object) -> None:
    """Sets a value as JSON."""
    set(key, to_json(value))


def delete(key: str) -> None:
    """Removes a key; nothing happens if there is none."""
    _try(key, lambda functions: functions.kv_delete(key))


def increment(key: str, delta: int = 1) -> int:
    """Adds to a decimal integer kept as text (an absent key counts as 0) and gives the sum. Counts as reading."""
    return _try(key, lambda functions: functions.kv_increment(key, delta))


def compare_and_swap(key: str, expected: bytes | str | None, value: bytes | str) -> bool:
    """Sets the value if the present one is `expected` (None: absent); says whether it did. Counts as reading."""
    wanted = expected.encode("utf-8") if isinstance(expected, str) else expected
    wire = value.encode("utf-8") if isinstance(value, str) else value
    return _try(key, lambda functions: functions.kv_compare_and_swap(key, wanted, wire))


def list(prefix: str, cursor: str | None = None, limit: int = 1000) -> Keys:
    """Keys with a prefix, at most `limit` (1 to 1000) at a time; `cursor` is the last page's `next_cursor`. Counts as
    reading the whole prefix."""
    return _try(prefix, lambda functions: functions.kv_list(prefix, cursor, limit))


def keys(prefix: str) -> Iterator[str]:
    """All keys with a prefix, page by page."""
    page = list(prefix)
    yield from page.keys
    while page.next_cursor is not None:
        page = list(prefix, page.next_cursor)
        yield from page.keys


def _try(key: str, call: Callable[[host.Functions], T]) -> T:
    try:
        return call(host.present())
    except host.KeyValueError as error:
        raise error.failure(key) from None
