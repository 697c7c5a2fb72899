"""What an action that undoes another is given."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Generic, Literal, TypeVar

I = TypeVar("I")  # noqa: E741
O = TypeVar("O")  # noqa: E741

EffectState = Literal["intent", "done", "failed", "in-doubt"]
"""`intent`: recorded and perhaps sent; `done`: it succeeded; `failed`: it was refused and did nothing; `in-doubt`:
without a complete answer, perhaps it was done."""


@dataclass(frozen=True)
class Effect:
    """One write of a step."""

    name: str | None
    """The name it was given."""
    key: str | None
    """Its idempotency key."""
    state: EffectState
    request: Any = None
    """What was sent: method, url, headers, body."""
    response: Any = None
    """What was answered: status, headers, body; None where nothing was."""


@dataclass(frozen=True)
class Undo(Generic[I, O]):
    """The input of an action that undoes another: what the other was given, what it returned and what it wrote.

        @plugin.action("void-invoice", "Void an invoice")
        def void_invoice(undo: Undo[CreateInvoice, Invoice], cx: Context[Config]) -> None:
            if undo.output is None:
                return  # look for it first where the step may have failed halfway
            cx.post(f"…/{undo.output.id}/void", name="void").ok()
    """

    input: I
    output: O | None = None
    """None where the step failed. Then writes may have been done all the same: see `effects`."""
    effects: list[Effect] = field(default_factory=list[Effect])
    """Its writes, in the order they were sent."""

    def effect(self, name: str) -> Effect | None:
        """The write of that name, if it was sent."""
        found = [effect for effect in self.effects if effect.name == name]
        return found[-1] if found else None
