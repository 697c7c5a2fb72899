"""What of working time is overtime."""

from __future__ import annotations

import random
from datetime import date, timedelta
from decimal import Decimal

from policy import Overtime, Policy, Record, Split, split_week

MONDAY = date(2026, 11, 23)
POLICY = Policy(sunday_factor=Decimal("2"), holiday_factor=Decimal("2.5"), holidays=[date(2026, 11, 26)])


def on(day: int, minutes: int, job: str) -> Record:
    return Record(job, MONDAY + timedelta(days=day), minutes)


def test_a_day_within_its_limit_is_regular() -> None:
    assert split_week(POLICY, [on(0, 480, "a")]) == {"a": Split(480, [])}


def test_minutes_beyond_the_day_are_overtime_of_the_job_that_came_later() -> None:
    splits = split_week(POLICY, [on(0, 300, "a"), on(0, 300, "b"), on(0, 60, "c")])
    assert splits["a"] == Split(300, [])
    assert splits["b"] == Split(180, [Overtime(120, Decimal("1.5"), "daily")])
    assert splits["c"] == Split(0, [Overtime(60, Decimal("1.5"), "daily")])


def test_regular_minutes_beyond_the_week_are_overtime() -> None:
    policy = Policy(weekly_after=900, weekly_factor=Decimal("1.25"))
    splits = split_week(policy, [on(0, 500, "a"), on(1, 500, "b")])
    assert splits["a"] == Split(480, [Overtime(20, Decimal("1.5"), "daily")])
    assert splits["b"] == Split(420, [Overtime(20, Decimal("1.5"), "daily"), Overtime(60, Decimal("1.25"), "weekly")])


def test_sundays_and_holidays_count_whole_and_not_towards_the_week() -> None:
    policy = Policy(weekly_after=480, sunday_factor=Decimal("2"), holiday_factor=Decimal("2.5"), holidays=[MONDAY, MONDAY + timedelta(days=6)])
    splits = split_week(policy, [on(0, 600, "holiday"), on(1, 480, "tuesday"), on(6, 30, "both")])
    assert splits["holiday"] == Split(0, [Overtime(600, Decimal("2.5"), "holiday")])
    assert splits["tuesday"] == Split(480, [])
    assert splits["both"].overtime[0].reason == "holiday"


def test_without_a_factor_a_sunday_is_a_day_like_others() -> None:
    assert split_week(Policy(), [on(6, 60, "a")]) == {"a": Split(60, [])}


def test_a_week_starts_where_the_policy_says() -> None:
    sunday = MONDAY + timedelta(days=6)
    assert Policy().week_of(sunday) == MONDAY
    assert Policy(week_starts="sunday").week_of(sunday) == sunday
    assert Policy(week_starts="wednesday").week_of(MONDAY) == MONDAY - timedelta(days=5)


def test_no_minute_is_lost_or_counted_twice_and_the_order_of_arrival_changes_no_sum() -> None:
    source = random.Random(7)
    for _ in range(200):
        records = [on(source.randrange(7), source.randrange(0, 400), f"j{n}") for n in range(source.randrange(1, 12))]
        policy = Policy(
            daily_after=source.randrange(0, 600),
            weekly_after=source.randrange(0, 3000),
            sunday_factor=source.choice([None, Decimal(2)]),
        )
        splits = split_week(policy, records)
        for record in records:
            assert splits[record.job_ref].regular_minutes + splits[record.job_ref].overtime_minutes == record.minutes
        shuffled = source.sample(records, len(records))
        again = split_week(policy, shuffled)
        assert sum(split.regular_minutes for split in splits.values()) == sum(split.regular_minutes for split in again.values())
