"""The action `gather` of `scripted`: an id is sent, alone or with those of others."""

from dataclasses import dataclass, field
from typing import Annotated

from sangam_sdk import Batch, Context, Failure, Field, Item, Plugin, RateLimited, Rejected, Retry, Unauthorized, kv, log

from config import Config


@dataclass
class Gather:
    """An id to be sent."""

    url: Annotated[str, "Where to."]
    id: Annotated[int, Field(minimum=0)]
    kind: Annotated[str, "How this one fails once it was sent: `retry`, `rate-limited`, `unauthorized` or `rejected`; not at all if empty."] = ""
    on: Annotated[list[int], "Attempts on which it does; all if empty."] = field(default_factory=list[int])
    emit: Annotated[str, "Type of an event that it brings in; none if empty."] = ""


@dataclass
class Gathered:
    id: int
    with_: Annotated[int, "How many were sent together."]
    key: Annotated[str, "Of its step."]
    attempt: int


def add(plugin: Plugin[Config]) -> None:
    """Declares it."""

    @plugin.action("gather", "Send an id, alone or with others")
    def gather(input: Gather, cx: Context[Config]) -> Gathered:
        cx.post(input.url, name="one", json={"ids": [input.id]}).ok()
        done = gathered(input, cx, 1)
        if isinstance(done, Failure):
            raise done
        return done

    @plugin.batch(gather, most=10)
    def gather_all(items: list[Item[Gather, Config]], cx: Batch[Config]) -> list[Gathered | Failure]:
        for item in items:
            log.info("sends", invocation=item.place, id=item.input.id)
            kv.set(f"sent/{item.input.id}", "yes")
        cx.post(items[0].input.url, name="all", json={"ids": [item.input.id for item in items]}).ok()
        return [gathered(item.input, item.cx, len(items)) for item in items]


def gathered(input: Gather, cx: Context[Config], together: int) -> Gathered | Failure:
    if input.kind and (not input.on or cx.attempt in input.on):
        kinds = {"retry": Retry, "rate-limited": RateLimited, "unauthorized": Unauthorized}
        return kinds.get(input.kind, Rejected)("as it was told")
    if input.emit:
        cx.emit(input.emit, {"id": input.id})
    return Gathered(input.id, together, cx.idempotency_key, cx.attempt)
