"""Connector `overtime`: splits working time into regular and overtime minutes, and keeps the sums of the week."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import date
from typing import Annotated

from policy import MINUTES_OF_A_DAY, Overtime, Policy, Record, Split, split_week
from sangam_sdk import Context, Field, Plugin, Rejected, Undo, encode, kv, log

plugin = Plugin(
    "overtime",
    title="Overtime",
    description="Splits the working time of a job into regular and overtime minutes, by a policy of days, weeks, Sundays and holidays.",
    config=Policy,
)


@dataclass(frozen=True)
class Hours:
    """The working time of one employee on one job."""

    employee_ref: Annotated[str, Field("The employee's number.", min_length=1, max_length=100, subject=True)]
    date: Annotated[date, "The day of the work, at the workplace."]
    minutes: Annotated[int, Field("Working time; 0 takes an earlier record back.", minimum=0, maximum=MINUTES_OF_A_DAY)]
    job_ref: Annotated[str, Field("The job's number. A second call for it is a correction.", min_length=1, max_length=100)]


@dataclass(frozen=True)
class WeekSums:
    """The employee's week, with this job."""

    starts: date
    minutes: int
    regular_minutes: int
    overtime_minutes: int


@dataclass(frozen=True)
class Changed:
    """Another job of the week whose split is another now."""

    job_ref: str
    date: date
    regular_minutes: int
    overtime: list[Overtime]


@dataclass(frozen=True)
class HoursSplit:
    """The job's split, and what it did to the week."""

    regular_minutes: int
    overtime: list[Overtime]
    week: WeekSums
    replaced: Annotated[Record | None, "The record that this one corrects."]
    also_changed: Annotated[list[Changed], "Jobs of the same week that a correction has moved across a limit."]


@dataclass(frozen=True)
class Week:
    """What the key-value space keeps of an employee's week."""

    records: list[Record] = field(default_factory=list[Record])

    def get(self, job_ref: str) -> Record | None:
        return next((record for record in self.records if record.job_ref == job_ref), None)

    def put(self, record: Record) -> Week:
        """With that record, in the place of the one it corrects."""
        if self.get(record.job_ref) is None:
            return Week([*self.records, record])
        return Week([record if present.job_ref == record.job_ref else present for present in self.records])

    def drop(self, job_ref: str) -> Week:
        return Week([record for record in self.records if record.job_ref != job_ref])


@plugin.action("split-hours", "Split working time", undo="take-back", idempotent=True)
def split_hours(hours: Hours, cx: Context[Policy]) -> HoursSplit:
    """Records the working time of a job and says what of it is overtime. Calling it again for the same job corrects the
    record."""
    policy = cx.config
    starts = policy.week_of(hours.date)
    replaced = move_out(hours, policy)
    week = load(hours.employee_ref, starts)
    record = Record(hours.job_ref, hours.date, hours.minutes)
    changed = week.put(record)
    check_day(hours, changed)
    splits = split_week(policy, changed.records)
    before = split_week(policy, week.records)
    save(hours.employee_ref, starts, changed)
    kv.set(job_key(hours.employee_ref, hours.job_ref), starts.isoformat())

    split = splits[hours.job_ref]
    also = [
        Changed(other.job_ref, other.date, splits[other.job_ref].regular_minutes, splits[other.job_ref].overtime)
        for other in changed.records
        if other.job_ref != hours.job_ref and splits[other.job_ref] != before[other.job_ref]
    ]
    log.info(
        "corrected working time" if replaced else "split working time",
        job=hours.job_ref,
        regular=split.regular_minutes,
        overtime=split.overtime_minutes,
        week=starts,
    )
    return HoursSplit(split.regular_minutes, split.overtime, sums(starts, splits), replaced, also)


@plugin.action("take-back", "Take working time back", idempotent=True)
def take_back(undo: Undo[Hours, HoursSplit], cx: Context[Policy]) -> None:
    """Takes back what `split-hours` recorded: the job's earlier record stands again, or none."""
    if undo.output is None:
        return  # what a failed step kept has never taken effect
    hours, replaced = undo.input, undo.output.replaced
    starts = cx.config.week_of(hours.date)
    week = load(hours.employee_ref, starts)
    recorded = Record(hours.job_ref, hours.date, hours.minutes) if hours.minutes else None
    if week.get(hours.job_ref) != recorded:
        log.warn("the record was corrected meanwhile, and stays", job=hours.job_ref)
        return
    if replaced is None:
        save(hours.employee_ref, starts, week.drop(hours.job_ref))
        kv.delete(job_key(hours.employee_ref, hours.job_ref))
        return
    former = cx.config.week_of(replaced.date)
    if former != starts:
        save(hours.employee_ref, starts, week.drop(hours.job_ref))
        week = load(hours.employee_ref, former)
    save(hours.employee_ref, former, week.put(replaced))
    kv.set(job_key(hours.employee_ref, hours.job_ref), former.isoformat())


def move_out(hours: Hours, policy: Policy) -> Record | None:
    """The job's record so far; taken out of its week if the correction belongs into another."""
    known = kv.get(job_key(hours.employee_ref, hours.job_ref))
    if known is None:
        return None
    starts = date.fromisoformat(known.decode("ascii"))
    week = load(hours.employee_ref, starts)
    if starts != policy.week_of(hours.date):
        save(hours.employee_ref, starts, week.drop(hours.job_ref))
    return week.get(hours.job_ref)


def check_day(hours: Hours, week: Week) -> None:
    total = sum(record.minutes for record in week.records if record.date == hours.date)
    if total > MINUTES_OF_A_DAY:
        raise Rejected(
            f"{hours.employee_ref} would have worked {total} minutes on {hours.date}, more than a day has; correct the jobs of that day",
            details={"jobs": [record for record in week.records if record.date == hours.date]},
        )


def sums(starts: date, splits: dict[str, Split]) -> WeekSums:
    regular = sum(split.regular_minutes for split in splits.values())
    overtime = sum(split.overtime_minutes for split in splits.values())
    return WeekSums(starts, regular + overtime, regular, overtime)


def load(employee_ref: str, starts: date) -> Week:
    return kv.get_json(week_key(employee_ref, starts), Week) or Week()


def save(employee_ref: str, starts: date, week: Week) -> None:
    kept = replace(week, records=[record for record in week.records if record.minutes])
    if kept.records:
        kv.set_json(week_key(employee_ref, starts), kept)
    else:
        kv.delete(week_key(employee_ref, starts))


def week_key(employee_ref: str, starts: date) -> str:
    return f"week/{encode(employee_ref)}/{starts}"


def job_key(employee_ref: str, job_ref: str) -> str:
    return f"job/{encode(employee_ref)}/{encode(job_ref)}"
