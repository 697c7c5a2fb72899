"""Several runs at once: one request for the records of many runs, and to each run its own result."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from sangam_sdk import Batch, Context, Failure, Item, Page, Plugin, Poll, RateLimited, Rejected, Retry, SourceContext, encode, log, testing


@dataclass
class Config:
    base_url: str


@dataclass
class Contact:
    """Keeps a contact by its address."""

    email: str
    name: str


@dataclass
class Kept:
    id: str


@dataclass
class Record:
    ref: str
    id: str | None = None
    error: str | None = None


plugin = Plugin("crm", title="A CRM", config=Config, hosts=["${base-url}"])


# ANCHOR: together
@plugin.action("keep-contact", "Keep a contact")
def keep_contact(contact: Contact, cx: Context[Config]) -> Kept:
    return cx.put(f"{cx.config.base_url}/contacts/{encode(contact.email)}", name="contact", json=contact).ok().json(Kept)


@plugin.batch(keep_contact, most=100)  # up to 100 runs in one call
def keep_contacts(items: list[Item[Contact, Config]], cx: Batch[Config]) -> list[Kept | Failure]:
    # What is sent follows from the items alone; the key of a run's step tells its record from others in the answer.
    records = [{"ref": item.cx.idempotency_key, "contact": item.input} for item in items]
    response = cx.post(f"{cx.config.base_url}/contacts/batch", name="contacts", json=records)
    if response.status == 400 and len(items) > 1:
        # Refused as a whole for one of them: after a retry each goes alone.
        raise Retry("The CRM refused the batch", after=0)
    answer = {record.ref: record for record in response.ok().json(list[Record])}
    return [kept(answer.get(item.cx.idempotency_key)) for item in items]  # one result for each item, in their order


def kept(record: Record | None) -> Kept | Failure:
    if record is None:
        return Retry("The CRM did not say what became of the contact")
    if record.id is None:
        return Rejected(f"The CRM refused the contact: {record.error}")
    return Kept(record.id)
# ANCHOR_END: together


CONTACTS: list[Any] = [{"email": "a@b.example", "name": "A"}, {"email": 7, "name": "B"}, {"email": "c@b.example", "name": "C"}]


def host(answer: Callable[[list[Any]], Any]) -> testing.Host:
    def system(request: testing.Sent) -> testing.Response:
        body = answer(request.json())
        return testing.json(400 if "message" in body else 200, body)

    return testing.Host(system, config={"base-url": "https://crm.example"})


def test_each_run_has_its_own_result_of_one_request() -> None:
    def answer(records: list[Any]) -> Any:
        told = [{"ref": one["ref"]} | ({"id": "1"} if one["contact"]["name"] == "A" else {"error": "no such domain"}) for one in records]
        return told[::-1]

    crm = host(answer)
    first, misfit, refused = crm.invoke_batch(plugin, "keep-contact", CONTACTS)
    assert (first, len(crm.sent)) == ({"id": "1"}, 1)
    assert (misfit.kind, misfit.reason[:12]) == ("rejected", "input.email:"), "it is not sent"
    assert str(refused) == "rejected: The CRM refused the contact: no such domain"
    assert [one["ref"] for one in crm.sent[0].json()] == [testing.key("run-1"), testing.key("run-3")]


def test_what_a_batch_raises_is_the_failure_of_each_but_of_those_that_were_refused_before() -> None:
    results = host(lambda _: {"message": "no"}).invoke_batch(plugin, "keep-contact", CONTACTS)
    assert [failure.kind for failure in results] == ["retry", "rejected", "retry"]


@dataclass
class Number:
    n: int


def together(run: Callable[[list[Item[Number, Any]]], Any]) -> Plugin[Any]:
    """A plugin whose batch does that."""
    made = Plugin("together", title="Together")

    @made.action("double", "Double")
    def double(number: Number, cx: Context[Any]) -> Any:
        return 2 * number.n

    @made.batch(double, most=3)
    def doubles(items: list[Item[Number, Any]], cx: Batch[Any]) -> list[Any]:
        log.info("together", key=cx.key("all"))
        return run(items)

    return made


def test_one_that_fails_is_its_run_s_alone_and_brings_nothing_in() -> None:
    def run(items: list[Item[Number, Any]]) -> list[Any]:
        for item in items:
            log.info("doubles", invocation=item.place)
            item.cx.emit("doubled", item.input.n)
        return [2, RateLimited("slowly", after=2), object()]

    there = testing.Host()
    doubled, slowly, odd = there.invoke_batch(together(run), "double", [Number(1), Number(2), Number(3)])
    assert doubled == 2
    assert (slowly.kind, slowly.after.total_seconds()) == ("rate-limited", 2)
    assert odd.kind == "rejected" and "can't be told as JSON" in odd.reason
    assert [event["data"] for event in there.events] == [1], "events are those of runs that succeeded"
    assert [line.fields.get("invocation") for line in there.lines] == [None, "0", "1", "2"]


def test_another_number_of_results_is_a_failure_of_all_as_is_any_error() -> None:
    def raises(_: Any) -> Any:
        raise ValueError("too far")

    for run, words in ((lambda items: items[1:], "of 2 items it gave 1"), (lambda _: None, "TypeError"), (raises, "ValueError: too far")):  # pyright: ignore
        results = testing.Host().invoke_batch(together(run), "double", [{"n": 1}, {"n": 2}])  # pyright: ignore[reportUnknownArgumentType]
        assert [failure.kind for failure in results] == ["retry", "retry"]
        assert all(words in failure.reason for failure in results), results


def test_where_no_input_fits_nothing_is_done() -> None:
    def run(_: Any) -> Any:
        raise AssertionError("there is nothing to do")

    results = testing.Host().invoke_batch(together(run), "double", [{}, {"n": "x"}])
    assert [failure.kind for failure in results] == ["rejected", "rejected"]


def test_an_action_says_how_many_runs_it_takes_and_the_plugin_is_for_another_world() -> None:
    action = json.loads(plugin.descriptor())["actions"][0]
    assert (action["batch"], plugin.world, plugin.exports) == (100, "batching", ["actions", "batches"])
    other = together(list)

    @other.poll("told", "Told")
    def told(poll: Poll[int], cx: SourceContext[Any]) -> Page[int]:
        return Page([])

    assert other.world == "batching-duplex"
    alone = Plugin("alone", title="Alone")

    @alone.action("one", "One")
    def one(number: Number, cx: Context[Any]) -> None: ...

    assert alone.world == "connector" and "batch" not in json.loads(alone.descriptor())["actions"][0]
    with pytest.raises(ValueError, match="2 to 1000"):
        alone.batch(one, most=1)
    with pytest.raises(ValueError, match="`told` is none"):
        alone.batch(told, most=2)  # pyright: ignore
    with pytest.raises(Rejected, match="alone takes one run of `one` at a time"):
        alone.invoke_batch("one", [])
