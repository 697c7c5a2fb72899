"""Several runs of one action, done by one call: each input is looked at by itself, and each run has a result of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from . import host
from .context import Context, Writes

C = TypeVar("C")
I = TypeVar("I")  # noqa: E741


@dataclass(frozen=True)
class Item(Generic[I, C]):
    """One run's part of a batch."""

    input: I
    """What the action is given."""
    cx: Context[C]
    """What it knows of its run. Its `attempt` is above 1 where the batch, or the run, was tried before; its
    `idempotency_key` is the same in every batch, and so the marker of the run's record. `emit` brings an event in with
    the success of that run."""
    place: int
    """Its position among the runs of the call: the field `invocation` of a line of the log that is this run's alone."""


@dataclass(frozen=True)
class Batch(Writes, Generic[C]):
    """What the runs of a batch have in common, and its way outside. Requests belong to the batch as a whole.

    Of `kv` a batch has `set` and `delete`, and nothing that reads: a key that was read would have to be held for each of the
    runs alone.
    """

    config: C
    """The plugin's configuration."""
    deadline: datetime
    """On the clock that the plugin sees."""

    def key(self, name: str) -> str:
        """The idempotency key of the batch's write of that name, before it is sent."""
        return host.present().key(name)


@dataclass
class Together:
    """How an action takes several runs at once."""

    most: int
    run: Callable[[Any, Any], Any]
