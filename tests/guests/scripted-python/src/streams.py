"""The streams of `scripted`: `feed` is polled, `hook` is sent to. Both do what they are told by what they read."""

from dataclasses import dataclass, field
from typing import Any

from sangam_sdk import (
    Failure,
    Inbound,
    NewEvent,
    Page,
    Plugin,
    Poll,
    Received,
    Rejected,
    Retry,
    SetAside,
    SourceContext,
    http,
    kv,
    log,
    to_json,
)

from config import Config


@dataclass
class Record:
    type: str = ""
    id: str | None = None
    time: str | None = None
    data: Any = None
    bad: str | None = None
    """It can't be made into an event: why."""
    count: str | None = None
    """A key that is counted up."""
    write: str | None = None
    """A URL that is written to, which a stream may not."""


@dataclass
class Answer:
    records: list[Record]
    next: int
    more: bool


@dataclass
class Brought:
    type: str
    id: str
    data: Any = None


@dataclass
class Told:
    events: list[Brought] = field(default_factory=list[Brought])
    count: str | None = None
    """A key that is counted up."""
    fail: str | None = None
    """How it fails instead."""
    status: int = 200
    """Of the answer."""


def poll(poll: Poll[int], cx: SourceContext[Config]) -> Page[int]:
    query: dict[str, Any] = {"limit": poll.limit}
    if poll.cursor is not None:
        query["cursor"] = poll.cursor
    if cx.since is not None:
        query["since"] = cx.since.strftime("%Y-%m-%dT%H:%M:%SZ")
    answer = cx.get(f"{cx.config.feed}/feed", query=query).ok().json(Answer)
    log.info("a page", records=len(answer.records))
    page = Page[int](next_cursor=answer.next, more=answer.more)
    for record in answer.records:
        if record.bad is not None:
            page.set_aside.append(SetAside(record, record.bad))
            continue
        if record.count is not None:
            kv.increment(record.count, 1)
        data = record.data if record.write is None else written(record.write)
        page.events.append(NewEvent(record.type, data, id=record.id, time=record.time))
    return page


def written(url: str) -> Any:
    """A stream's context has no way to write; the module that actions use has."""
    try:
        return {"status": http.request("POST", url, name="w").status}
    except Failure as failure:
        return {"refused": str(failure)}


def receive(request: Inbound, cx: SourceContext[Config]) -> Received:
    told = request.json(Told)
    count = None if told.count is None else kv.increment(told.count, 1)
    if told.fail == "rejected":
        raise Rejected("no such thing: ü")
    if told.fail is not None:
        raise Retry("not now")
    seen = {
        "method": request.method,
        "path": request.path,
        "topic": request.header("x-topic"),
        "source": cx.source,
        "greeting": cx.config.greeting,
        "count": count,
    }
    headers = [("content-type", b"application/json"), ("x-seen", b"yes")]
    events = [NewEvent(event.type, event.data, id=event.id) for event in told.events]
    return Received(events, told.status, headers, to_json(seen).encode())


def add(plugin: Plugin[Config]) -> None:
    """Declares them."""
    plugin.poll("feed", "What the feed says", types=["fed.*"])(poll)
    plugin.receive("hook", "What a body says", types=["fed.*"])(receive)
