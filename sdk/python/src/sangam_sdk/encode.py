"""Values become JSON text, with every digit of a Decimal."""

from __future__ import annotations

import base64
import dataclasses
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time, timezone
from decimal import Decimal
from enum import Enum
from json.encoder import encode_basestring as quoted
from typing import Any, cast
from uuid import UUID

from .naming import json_name

_MOST_LEVELS = 200


def to_json(value: object) -> str:
    """JSON text of anything made of dataclasses, dictionaries, lists, texts, numbers, dates, enums, UUIDs and bytes
    (as base64).

    Raises TypeError or ValueError for what JSON can't say, naming the place.
    """
    parts: list[str] = []
    _write(value, parts, 0)
    return "".join(parts)


def plain(value: object) -> Any:
    """The same as plain JSON values: dictionaries, lists, texts, numbers (Decimal where there is a fraction)."""
    import json

    return json.loads(to_json(value), parse_float=Decimal)


def _write(value: object, parts: list[str], level: int) -> None:
    if value is None:
        parts.append("null")
    elif value is True:
        parts.append("true")
    elif value is False:
        parts.append("false")
    elif isinstance(value, Enum):
        _write(cast(object, value.value), parts, level)
    elif isinstance(value, str):
        parts.append(quoted(value))
    elif isinstance(value, int):
        parts.append(int.__repr__(value))
    elif isinstance(value, float):
        if value - value != 0:
            raise ValueError(f"{value} is not a number that JSON has")
        parts.append(float.__repr__(value))
    elif isinstance(value, Decimal):
        if not value.is_finite():
            raise ValueError(f"{value} is not a number that JSON has")
        parts.append(str(value))
    elif level >= _MOST_LEVELS:
        raise ValueError(f"the value is nested more than {_MOST_LEVELS} levels deep, or contains itself")
    elif isinstance(value, Mapping):
        _write_members(cast("Mapping[object, object]", value).items(), parts, level)
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        _write_members(((json_name(type(value), f), getattr(value, f.name)) for f in dataclasses.fields(value)), parts, level)
    elif isinstance(value, (list, tuple, set, frozenset)):
        items: Iterable[object] = cast("Iterable[object]", value)
        if isinstance(value, (set, frozenset)):
            items = sorted(cast("Iterable[Any]", value))  # the same text on every attempt
        parts.append("[")
        for index, item in enumerate(items):
            if index:
                parts.append(",")
            _at(f"[{index}]", item, parts, level)
        parts.append("]")
    elif isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError(f"{value} has no time zone: make it datetime(…, tzinfo=timezone.utc)")
        text = value.isoformat()
        parts.append(quoted(text[:-6] + "Z" if value.utcoffset() == timezone.utc.utcoffset(None) else text))
    elif isinstance(value, (date, time)):
        parts.append(quoted(value.isoformat()))
    elif isinstance(value, UUID):
        parts.append(quoted(str(value)))
    elif isinstance(value, (bytes, bytearray)):
        parts.append(quoted(base64.b64encode(value).decode("ascii")))
    else:
        raise TypeError(f"{type(value).__name__} is nothing that JSON has; return a dataclass, a dictionary or a list")


def _write_members(members: Iterable[tuple[object, object]], parts: list[str], level: int) -> None:
    parts.append("{")
    first = True
    for name, value in members:
        if isinstance(name, Enum):
            name = cast(object, name.value)
        if not isinstance(name, str):
            raise TypeError(f"the key {name!r} is not text, as JSON wants it")
        if not first:
            parts.append(",")
        first = False
        parts.append(quoted(name))
        parts.append(":")
        _at(f".{name}", value, parts, level)
    parts.append("}")


def _at(place: str, value: object, parts: list[str], level: int) -> None:
    try:
        _write(value, parts, level + 1)
    except (TypeError, ValueError) as error:
        # The first to know what is wrong does not know where: each level adds its own name in front.
        text = str(error)
        where, separator, what = text.partition(": ") if text.startswith((".", "[")) else ("", "", text)
        raise type(error)(f"{place}{where}: {what if separator else text}") from None
