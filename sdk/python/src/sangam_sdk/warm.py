"""Calls done while the component is built, so that a call at run time finds the way trodden.

The interpreter writes into the code that it runs, until it knows the types there. In an instance that lives for one call
each such write costs a page of memory. Here they are made once, and are part of the image that every call starts from.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from .context import Context
from .failure import Failure, Rejected
from .plugin import Plugin
from .uncaught import failure_of

_TIMES = 40
"""More than the interpreter looks on before it makes up its mind."""


@dataclass(frozen=True)
class _Part:
    name: str
    amount: Decimal = Decimal(1)
    note: str | None = None


@dataclass(frozen=True)
class _Sample:
    text: str
    count: int
    parts: list[_Part] = field(default_factory=list[_Part])
    more: dict[str, Any] = field(default_factory=dict[str, Any])


@dataclass(frozen=True)
class _Config:
    base_url: str = ""


_plugin = Plugin("warm", title="Warm", config=_Config)


@_plugin.action("do", "Do")
def _do(sample: _Sample, cx: Context[_Config]) -> Any:
    if sample.count == 1:
        raise Rejected("no", details={"a": 1})
    cx.emit("type", {"n": sample.count}, subject="s")
    return sample


def up() -> None:
    """Does calls of every usual kind. None of them asks the host for anything."""
    context = json.dumps(
        {
            "event": {"specversion": "1.0", "id": "1", "source": "/s", "type": "t", "time": "2026-01-01T00:00:00Z", "data": {"a": [1, 2.5, None, True]}},
            "run": {"id": "r", "root": "r", "route": "x"},
            "step": {"name": "s", "uses": "p.a", "round": 0},
            "attempt": 1,
            "idempotency_key": "k",
            "deadline": "2026-01-01T00:00:30.123Z",
            "traceparent": None,
            "configuration": {"base-url": "https://a.example"},
        }
    )
    sample: dict[str, Any] = {"text": "x", "count": 2, "parts": [{"name": "a", "amount": 10.5}, {"name": "b"}], "more": {"a": [1, "b", None, False]}}
    good, refused, wrong = (json.dumps({**sample, **change}) for change in ({}, {"count": 1}, {"count": "x"}))
    for _ in range(_TIMES):
        _plugin.invoke("do", good, context)
        for input in (refused, wrong):
            try:
                _plugin.invoke("do", input, context)
            except Failure as failure:
                failure_of(failure)
