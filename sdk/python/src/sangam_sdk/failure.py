"""How a call ends that does not succeed."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar, cast

if TYPE_CHECKING:
    from .http import Response

FailureKind = Literal["retry", "rate-limited", "unauthorized", "rejected"]
F = TypeVar("F", bound="Failure")


class Failure(Exception):
    """Answers one question: try again, or never? Raise one of its four kinds.

    People read the reason in the timeline of the run: say in one sentence what was tried, what the system answered
    and, where it is known, what to do.

        raise Retry("QuickBooks holds the invoice locked", after=5, details={"code": "5010"})
    """

    kind: ClassVar[FailureKind]

    reason: str
    """One sentence; at most 4 KiB are kept."""
    after: timedelta | None
    """When trying again makes sense; None leaves it to the step's retry policy."""
    details: Any
    """Whatever helps to understand it, as JSON. Never a secret. At most 64 KiB are kept."""

    def __init__(self, reason: str, *, after: timedelta | float | None = None, details: Any = None) -> None:
        """`after` is a timedelta or seconds."""
        if type(self) is Failure:
            raise TypeError("raise Retry, RateLimited, Unauthorized or Rejected: a failure says whether to try again")
        super().__init__(reason)
        self.reason = reason
        self.after = after if after is None or isinstance(after, timedelta) else timedelta(seconds=after)
        self.details = details

    @classmethod
    def from_response(cls: type[F], response: Response, reason: str | None = None, *, details: Any = None) -> F:
        """The failure that follows from an answer: with its status, the start of its body, and its `Retry-After`."""
        told: dict[str, Any] = {"status": response.status, "body": response.excerpt()}
        if isinstance(details, dict):
            told.update(cast("dict[str, Any]", details))
        elif details is not None:
            told["details"] = details
        reason = reason or f"{response.to} answered {response.status}"
        return cls(reason, after=response.retry_after(), details=told)

    def __str__(self) -> str:
        return f"{self.kind}: {self.reason}"


class Retry(Failure):
    """It may work later: a time-out, a 5xx, a lock held elsewhere. Uses up one attempt of the step's policy."""

    kind = "retry"


class RateLimited(Failure):
    """The system asks for patience: 429, or its own way of saying so. Waits and uses up no attempt."""

    kind = "rate-limited"


class Unauthorized(Failure):
    """The credential was refused (401). The host renews it once; then the step is paused until it is mended."""

    kind = "unauthorized"


class Rejected(Failure):
    """Trying again can't help: the input is wrong, the record does not exist, a rule of the system forbids it."""

    kind = "rejected"


def kind_of_status(status: int) -> type[Failure]:
    """The failure that HTTP says a status is."""
    if status == 401:
        return Unauthorized
    if status == 429:
        return RateLimited
    if status in (408, 425) or 500 <= status <= 599:
        return Retry
    return Rejected
