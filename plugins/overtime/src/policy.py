"""What of working time is overtime: a pure function of a policy and a week."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal

from sangam_sdk import Field

MINUTES_OF_A_DAY = 24 * 60
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
WEEKDAYS: list[Weekday] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Reason = Literal["holiday", "sunday", "daily", "weekly"]
Factor = Annotated[Decimal, Field(minimum=1, maximum=10)]


@dataclass(frozen=True)
class Policy:
    """The configuration of the plugin. Dates are those of the workplace; no time zone comes in."""

    daily_after: Annotated[int, Field("Minutes of a day after which work is overtime.", minimum=0, maximum=1440)] = 480
    daily_factor: Annotated[Factor, "What such a minute counts."] = Decimal("1.5")
    weekly_after: Annotated[int, Field("Regular minutes of a week after which work is overtime.", minimum=0, maximum=10080)] = 2400
    weekly_factor: Annotated[Factor, "What such a minute counts."] = Decimal("1.5")
    sunday_factor: Annotated[Factor | None, "What every minute of a Sunday counts. Absent: a Sunday is a day like others."] = None
    holiday_factor: Annotated[Factor | None, "What every minute of a holiday counts. Absent: a holiday is a day like others."] = None
    holidays: Annotated[list[date], Field("Such as `2026-12-25`.", max_items=1000)] = field(default_factory=list[date])
    week_starts: Annotated[Weekday, "The first day of a week."] = "monday"

    def week_of(self, day: date) -> date:
        """The first day of the week that a day belongs to."""
        return day - timedelta(days=(day.weekday() - WEEKDAYS.index(self.week_starts)) % 7)


@dataclass(frozen=True)
class Overtime:
    """Minutes that count more than others."""

    minutes: int
    factor: Decimal
    reason: Annotated[Reason, "The rule that made it overtime."]


@dataclass(frozen=True)
class Split:
    """A job's working time."""

    regular_minutes: int
    overtime: list[Overtime]

    @property
    def overtime_minutes(self) -> int:
        return sum(part.minutes for part in self.overtime)


@dataclass(frozen=True)
class Record:
    """What is known of a job: one record, which a correction replaces."""

    job_ref: str
    date: date
    minutes: int


# ANCHOR: split
def split_week(policy: Policy, records: list[Record]) -> dict[str, Split]:
    """The split of every job of a week. Jobs count by date, those of a day in the order they were first recorded.

    A minute is overtime by one rule: that of the holiday, else of the Sunday, else of the day, else of the week. Only
    regular minutes count towards the week.
    """
    splits: dict[str, Split] = {}
    of_day: dict[date, int] = {}
    regular_of_week = 0
    for record in sorted(records, key=lambda record: record.date):  # stable: within a day the order stays
        whole_day = _whole_day(policy, record.date)
        if whole_day:
            factor, reason = whole_day
            splits[record.job_ref] = Split(0, [Overtime(record.minutes, factor, reason)] if record.minutes else [])
            continue
        before = of_day.get(record.date, 0)
        of_day[record.date] = before + record.minutes
        within_day = max(min(record.minutes, policy.daily_after - before), 0)
        regular = max(min(within_day, policy.weekly_after - regular_of_week), 0)
        regular_of_week += regular
        parts = [
            Overtime(record.minutes - within_day, policy.daily_factor, "daily"),
            Overtime(within_day - regular, policy.weekly_factor, "weekly"),
        ]
        splits[record.job_ref] = Split(regular, [part for part in parts if part.minutes])
    return splits
# ANCHOR_END: split


def _whole_day(policy: Policy, day: date) -> tuple[Decimal, Reason] | None:
    if policy.holiday_factor is not None and day in policy.holidays:
        return policy.holiday_factor, "holiday"
    if policy.sunday_factor is not None and day.weekday() == 6:
        return policy.sunday_factor, "sunday"
    return None
