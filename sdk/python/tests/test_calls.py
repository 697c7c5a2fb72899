"""Actions and streams, from the texts of the contract to the texts of the contract."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from sangam_sdk import (
    READ_ONLY,
    UNNAMED,
    Context,
    Failure,
    Inbound,
    NewEvent,
    Page,
    Plugin,
    Poll,
    RateLimited,
    Received,
    Rejected,
    Retry,
    SetAside,
    SourceContext,
    Unauthorized,
    Undo,
    http,
    kv,
    log,
    testing,
)
from sangam_sdk.log import Handler


@dataclass
class Config:
    base_url: str


@dataclass
class Note:
    """What to write down."""

    text: str
    amount: Decimal = Decimal(0)


@dataclass
class Made:
    id: str
    amount: Decimal


plugin = Plugin("notes", title="Notes", config=Config, hosts=["${base-url}"], read_only=["POST /search"], emits=["note.*"])


@plugin.action("write", "Write a note", undo="remove")
def write(note: Note, cx: Context[Config]) -> Made:
    """Writes a note, once."""
    number = kv.increment("number")
    answer = cx.post(f"{cx.config.base_url}/notes", name="note", json={"text": note.text, "key": cx.key("note")}).ok().json()
    log.info("wrote a note", number=number)
    cx.emit("note.written", {"id": answer["id"]}, subject=f"note/{answer['id']}")
    return Made(answer["id"], note.amount)


@plugin.action("remove", "Remove a note")
def remove(undo: Undo[Note, Made], cx: Context[Config]) -> None:
    effect = undo.effect("note")
    wanted = undo.output.id if undo.output else effect and f"by-key/{effect.key}"
    if wanted:
        cx.delete(f"{cx.config.base_url}/notes/{wanted}", name="delete").ok()


@plugin.action("misbehave", "Do what the text says", idempotent=True)
def misbehave(note: Note, cx: Context[Config]) -> Any:
    base = cx.config.base_url
    match note.text:
        case "twice":
            cx.put(f"{base}/a", name="a").ok()
            cx.put(f"{base}/a", name="a").ok()
        case "unnamed":
            cx.patch(f"{base}/a", name=UNNAMED, form={"a": "b c", "d": True}).ok()
        case "search":
            return cx.post(f"{base}/search", name=READ_ONLY, query={"q": "ä&b"}, text="all").ok().json()
        case "set":
            kv.set_json("k", {"n": Decimal("10.10")})
            raise Retry("after setting", after=timedelta(seconds=3), details={"code": 7})
        case "odd":
            return {"thing": object()}
        case _:
            raise KeyError(note.text)
    return None


@plugin.poll("notes", "Notes", types=["note.seen"])
def poll_notes(poll: Poll[int], cx: SourceContext[Config]) -> Page[int]:
    start = poll.cursor or 0
    cx.get(f"{cx.config.base_url}/notes", query={"after": start, "limit": poll.limit}).ok()
    return Page([NewEvent("note.seen", {"n": start}, id=f"note/{start}")], start + 1, True, [SetAside({"x": 1}, "no id")])


@plugin.receive("notes", "Notes", types=["note.changed"])
def receive_notes(request: Inbound, cx: SourceContext[Config]) -> Received:
    if request.header("X-Kind") == "write":
        http.request("POST", f"{cx.config.base_url}/x", name="x")
    return Received([NewEvent("note.changed", request.json())], status=202)


def host(system: testing.System | None = None) -> testing.Host:
    there = testing.Host(config={"base-url": "https://a.example"})
    if system is not None:
        there.system = system
    return there


def test_the_descriptor_says_what_the_types_say() -> None:
    told = json.loads(plugin.descriptor())
    assert (told["name"], told["title"], told["hosts"]) == ("notes", "Notes", ["${base-url}"])
    assert told["configuration"]["required"] == ["base-url"]
    written, removed, misbehaved = told["actions"]
    assert written["undo"] == "remove" and written["description"] == "Writes a note, once."
    assert "description" not in written["input"]
    assert written["output"]["required"] == ["id", "amount"]
    assert removed["output"] == {"type": "null"}
    assert removed["input"]["required"] == ["input"]
    assert misbehaved["idempotent"] is True and misbehaved["description"] == "What to write down."
    assert told["streams"] == [
        {"name": "notes", "title": "Notes", "poll": True, "receive": True, "types": ["note.seen", "note.changed"]}
    ]
    assert plugin.world == "duplex"


def test_an_action_writes_once_and_brings_its_event_in() -> None:
    there = host(lambda request: testing.json(201, {"id": "n-1"}))
    assert there.invoke(plugin, "write", {"text": "hi", "amount": Decimal("10.10")}) == {"id": "n-1", "amount": Decimal("10.10")}
    there.attempt = 2
    there.invoke(plugin, "write", {"text": "hi"})
    assert len(there.sent) == 1
    sent = there.sent[0]
    assert (sent.method, sent.path, sent.name) == ("POST", "/notes", "note")
    assert sent.json() == {"text": "hi", "key": testing.key("note")} and sent.key == testing.key("note")
    assert sent.header("Content-Type") == "application/json"
    assert there.events[0]["type"] == "note.written" and there.events[0]["subject"] == "note/n-1"
    assert there.lines[0] == testing.LogLine("info", "wrote a note", {"number": "1"})
    assert there.store == {"number": b"2"}


def test_an_undo_is_given_what_was_done() -> None:
    there = host(lambda request: testing.json(200, {"id": "n-1"}))
    there.invoke(plugin, "write", {"text": "hi"})
    there.undo(plugin, "remove")
    assert (there.sent[-1].method, there.sent[-1].path) == ("DELETE", "/notes/n-1")


def test_an_undo_of_a_step_that_failed_halfway_has_the_key_of_its_write() -> None:
    there = host(lambda request: testing.NoAnswer("timeout", "30 s") if request.method == "POST" else testing.text(204))
    with pytest.raises(Retry, match="POST https://a.example/notes was not answered in time: 30 s"):
        there.invoke(plugin, "write", {"text": "hi"})
    there.undo(plugin, "remove")
    assert there.sent[-1].path == f"/notes/by-key/{testing.key('note')}"


@pytest.mark.parametrize(
    ("status", "kind"),
    [(401, Unauthorized), (408, Retry), (425, Retry), (500, Retry), (503, Retry), (429, RateLimited), (302, Rejected), (404, Rejected)],
)
def test_a_status_decides_whether_to_try_again(status: int, kind: type[Failure]) -> None:
    there = host(lambda request: testing.text(status, "why", {"retry-after": "7"}))
    with pytest.raises(kind) as caught:
        there.invoke(plugin, "write", {"text": "hi"})
    assert caught.value.reason == f"POST https://a.example/notes answered {status}"
    assert caught.value.after == timedelta(seconds=7)
    assert caught.value.details == {"status": status, "body": "why"}


def test_a_date_in_retry_after_is_a_time_from_now() -> None:
    past = testing.text(429, headers={"retry-after": "Sun, 06 Nov 1994 08:49:37 GMT"})
    assert past.retry_after() == timedelta(0)
    assert testing.text(429, headers={"retry-after": "soon"}).retry_after() is None


def test_a_failure_quotes_only_the_start_of_a_long_body() -> None:
    details = RateLimited.from_response(testing.text(429, "ä" * 2000), "slow down", details={"code": 1}).details
    assert details == {"status": 429, "body": "ä" * 1024 + "…", "code": 1}


def test_a_write_needs_a_name_of_its_own() -> None:
    there = host(lambda request: testing.text(200))
    with pytest.raises(Rejected, match="already written `a`"):
        there.invoke(plugin, "misbehave", {"text": "twice"})
    with pytest.raises(TypeError, match="say what this POST is called"):
        http.request("POST", "https://a.example")


def test_forms_and_queries_are_encoded() -> None:
    there = host(lambda request: testing.json(200, [1]))
    there.invoke(plugin, "misbehave", {"text": "unnamed"})
    assert there.sent[0].text == "a=b%20c&d=true" and there.sent[0].name is None
    assert there.invoke(plugin, "misbehave", {"text": "search"}) == [1]
    assert there.sent[1].url.endswith("/search?q=%C3%A4%26b") and there.sent[1].read_only


def test_what_a_failed_call_kept_is_forgotten() -> None:
    there = host(lambda request: testing.text(200))
    with pytest.raises(Retry) as caught:
        there.invoke(plugin, "misbehave", {"text": "set"})
    assert there.store == {} and caught.value.after == timedelta(seconds=3) and caught.value.details == {"code": 7}


def test_an_output_that_json_can_not_say_is_rejected() -> None:
    with pytest.raises(Rejected, match=r"what `misbehave` returned can't be told as JSON: .thing: object"):
        host().invoke(plugin, "misbehave", {"text": "odd"})


def test_an_input_or_configuration_that_does_not_fit_is_rejected() -> None:
    with pytest.raises(Rejected, match="input.text: expected text, got 7"):
        host().invoke(plugin, "write", {"text": 7})
    with pytest.raises(Rejected, match="configuration: `base-url` is missing"):
        testing.Host().invoke(plugin, "write", {"text": "a"})
    with pytest.raises(Rejected, match="notes has no action `no`"):
        host().invoke(plugin, "no", {})


def test_an_answer_of_another_shape_is_rejected_with_its_field() -> None:
    there = host(lambda request: testing.json(200, {"id": "7"}))
    with pytest.raises(Rejected, match="`amount` is missing") as caught:
        there.invoke(reading, "read", None)
    assert caught.value.details["body"] == '{"id":"7"}'


reading = Plugin("reading", title="Reading", config=Config)


@reading.action("read", "Read")
def read_made(nothing: None, cx: Context[Config]) -> Made:
    return cx.get(cx.config.base_url).ok().json(Made)


def test_a_stream_reads_pages_and_keeps_its_cursor() -> None:
    there = host(lambda request: testing.json(200, []))
    page = there.poll(plugin, "notes", cursor=4, limit=10)
    assert (page.next_cursor, page.more) == (5, True)
    assert there.events[0]["id"] == "note/4" and there.sent[0].query == {"after": "4", "limit": "10"}


def test_a_webhook_becomes_events_and_may_not_write() -> None:
    there = host(lambda request: testing.text(200))
    received = there.receive(plugin, "notes", Inbound("POST", "/hooks/notes", [], b'{"n": 10.10}'))
    assert received.status == 202 and there.events[0]["data"] == {"n": Decimal("10.10")}
    with pytest.raises(Rejected, match="streams may only read"):
        there.receive(plugin, "notes", Inbound("POST", "/hooks/notes", [("x-kind", b"write")], b"{}"))


def test_logging_of_the_standard_library_arrives_with_its_fields() -> None:
    logger = logging.Logger("mine")
    logger.addHandler(Handler())
    spoken = Plugin("spoken", title="Spoken")

    @spoken.action("speak", "Speak")
    def speak(what: Any, cx: Context[Any]) -> None:
        logger.warning("there are %d", 3, extra={"case": 7})

    there = testing.Host()
    there.invoke(spoken, "speak", None)
    assert there.lines == [testing.LogLine("warn", "there are 3", {"case": "7", "logger": "mine"})]


def test_keys_are_listed_page_by_page() -> None:
    listing = Plugin("listing", title="Listing")

    @listing.action("list", "List")
    def all_keys(what: Any, cx: Context[Any]) -> list[str]:
        return list(kv.keys("k/"))

    there = testing.Host(store={f"k/{n:05}": b"" for n in range(2500)} | {"other": b""})
    assert len(there.invoke(listing, "list", None)) == 2500


def test_a_declaration_that_can_not_work_says_why() -> None:
    with pytest.raises(ValueError, match="lower-case letters"):
        Plugin("My Plugin", title="Mine")
    mine = Plugin("mine", title="Mine")
    with pytest.raises(TypeError, match="needs types for what it takes and returns"):

        @mine.action("a", "A")
        def untyped(input, cx):  # type: ignore[no-untyped-def]  # pyright: ignore
            return input  # pyright: ignore

    @mine.action("b", "B", undo="c")
    def b(input: int, cx: Context[Any]) -> int:
        return input

    with pytest.raises(ValueError, match="`b` is undone by `c`, which is not declared"):
        mine.descriptor()
    with pytest.raises(ValueError, match="declared twice"):
        mine.action("b", "B")


def test_outside_of_a_test_host_a_call_says_where_it_belongs() -> None:
    with pytest.raises(RuntimeError, match="sangam_sdk.testing.Host"):
        kv.get("a")
    with pytest.raises(TypeError, match="raise Retry, RateLimited, Unauthorized or Rejected"):
        Failure("no kind")
