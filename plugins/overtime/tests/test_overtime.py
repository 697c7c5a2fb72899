"""What the actions keep, correct and take back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from connector import plugin
from sangam_sdk import Rejected, testing

MONDAY, TUESDAY, NEXT_MONDAY, SUNDAY = "2026-11-23", "2026-11-24", "2026-11-30", "2026-11-29"


@pytest.fixture
def host() -> testing.Host:
    return testing.Host(config={"daily-after": 480, "weekly-after": 900, "sunday-factor": 2, "holidays": ["2026-12-25"]})


def split(host: testing.Host, job: str, date: str, minutes: int) -> Any:
    return host.invoke(plugin, "split-hours", {"employee_ref": "e/1", "date": date, "minutes": minutes, "job_ref": job})


def test_the_sums_of_the_week_grow_with_every_job(host: testing.Host) -> None:
    assert split(host, "a", MONDAY, 300)["week"] == {"starts": MONDAY, "minutes": 300, "regular_minutes": 300, "overtime_minutes": 0}
    second = split(host, "b", MONDAY, 300)
    assert (second["regular_minutes"], second["overtime"]) == (180, [{"minutes": 120, "factor": 1.5, "reason": "daily"}])
    assert split(host, "c", SUNDAY, 60)["overtime"] == [{"minutes": 60, "factor": 2, "reason": "sunday"}]
    last = split(host, "d", TUESDAY, 480)
    assert last["week"] == {"starts": MONDAY, "minutes": 1140, "regular_minutes": 900, "overtime_minutes": 240}
    assert set(host.store) == {"week/e%2F1/2026-11-23", *(f"job/e%2F1/{job}" for job in "abcd")}


def test_employees_and_weeks_do_not_mix(host: testing.Host) -> None:
    split(host, "a", MONDAY, 480)
    other = {"employee_ref": "e/2", "date": MONDAY, "minutes": 60, "job_ref": "a"}
    assert host.invoke(plugin, "split-hours", other)["week"]["minutes"] == 60
    assert split(host, "b", NEXT_MONDAY, 60)["week"] == {"starts": NEXT_MONDAY, "minutes": 60, "regular_minutes": 60, "overtime_minutes": 0}


def test_a_correction_replaces_the_record_and_tells_which_jobs_it_moved(host: testing.Host) -> None:
    split(host, "a", MONDAY, 300)
    split(host, "b", MONDAY, 300)
    corrected = split(host, "a", MONDAY, 200)
    assert corrected["replaced"] == {"job_ref": "a", "date": MONDAY, "minutes": 300}
    assert corrected["week"]["minutes"] == 500
    assert corrected["also_changed"] == [
        {"job_ref": "b", "date": MONDAY, "regular_minutes": 280, "overtime": [{"minutes": 20, "factor": 1.5, "reason": "daily"}]}
    ]


def test_a_correction_into_another_week_leaves_nothing_behind(host: testing.Host) -> None:
    split(host, "a", MONDAY, 300)
    moved = split(host, "a", NEXT_MONDAY, 300)
    assert moved["replaced"]["date"] == MONDAY
    assert set(host.store) == {"week/e%2F1/2026-11-30", "job/e%2F1/a"}


def test_the_same_call_again_changes_nothing(host: testing.Host) -> None:
    first = split(host, "a", MONDAY, 300)
    store = dict(host.store)
    again = split(host, "a", MONDAY, 300)
    assert (again["week"], host.store) == (first["week"], store)


def test_taking_back_restores_what_was_there(host: testing.Host) -> None:
    split(host, "a", MONDAY, 300)
    split(host, "b", MONDAY, 100)
    store = dict(host.store)
    for date in (MONDAY, NEXT_MONDAY):
        split(host, "a", date, 200)
        host.undo(plugin, "take-back")
        assert records(host, MONDAY) == [("a", 300), ("b", 100)] or date == NEXT_MONDAY
        assert sorted(records(host, MONDAY)) == [("a", 300), ("b", 100)]
        assert set(host.store) == set(store)


def test_taking_back_the_first_record_leaves_nothing(host: testing.Host) -> None:
    split(host, "a", MONDAY, 300)
    host.undo(plugin, "take-back")
    assert host.store == {}
    host.undo(plugin, "take-back")
    assert host.store == {}


def test_taking_back_does_not_undo_a_later_correction(host: testing.Host) -> None:
    first = {"employee_ref": "e/1", "date": MONDAY, "minutes": 300, "job_ref": "a"}
    output = host.invoke(plugin, "split-hours", first)
    split(host, "a", MONDAY, 200)
    host.invoke(plugin, "take-back", {"input": first, "output": output, "effects": []})
    assert records(host, MONDAY) == [("a", 200)]
    assert host.lines[-1].level == "warn"


def test_a_failed_step_has_nothing_to_take_back(host: testing.Host) -> None:
    host.invoke(plugin, "take-back", {"input": {"employee_ref": "e", "date": MONDAY, "minutes": 1, "job_ref": "a"}, "output": None, "effects": []})
    assert host.store == {}


def test_no_minutes_take_a_record_back(host: testing.Host) -> None:
    split(host, "a", MONDAY, 300)
    assert split(host, "a", MONDAY, 0)["week"]["minutes"] == 0
    assert "week/e%2F1/2026-11-23" not in host.store


def test_a_day_has_no_more_than_its_minutes(host: testing.Host) -> None:
    split(host, "a", MONDAY, 1000)
    with pytest.raises(Rejected, match="e/1 would have worked 1500 minutes on 2026-11-23, more than a day has"):
        split(host, "b", MONDAY, 500)
    assert records(host, MONDAY) == [("a", 1000)]


def test_configuration_and_input_that_do_not_fit_are_named() -> None:
    with pytest.raises(Rejected, match="configuration.daily-factor: expected at least 1, got 0.5"):
        split(testing.Host(config={"daily-factor": 0.5}), "a", MONDAY, 1)
    with pytest.raises(Rejected, match="input.date: expected a date such as 2026-11-02"):
        split(testing.Host(), "a", "23.11.2026", 1)


def records(host: testing.Host, week: str) -> list[tuple[str, int]]:
    kept = json.loads(host.store[f"week/e%2F1/{week}"])
    return [(record["job_ref"], record["minutes"]) for record in kept["records"]]
