"""How detections fare: their runs, what these cost, and how many alarms there are beside what is allowed."""

from __future__ import annotations

from datetime import datetime

from pydantic import BaseModel, Field
from sqlglot import exp

from kubestray.api.times import iso
from kubestray.pipeline.running import Running
from kubestray.store.trees import call, column, named, select, unsigned

_DAY = 86_400 * 10**9
_WEEK = 7


class Runs(BaseModel):
    """How the runs of a search went: the last one, and all of the last 24 hours."""

    last: datetime | None = Field(description="The time that the last run was for.")
    finished: datetime | None
    rows: int
    seconds: float
    error: str
    day_runs: int
    day_errors: int
    day_rows: int
    day_seconds: float


class Alarms(BaseModel):
    """How often a detection alarms. An alarm is a risk object on a day, however many runs tell of it."""

    day: int = Field(description="In the last 24 hours.")
    per_day: float = Field(description="On average, over the last seven days.")
    allowed_per_day: float | None = Field(
        description="False ones that are asked for: the budget of an entity times the entities that are "
        "known. Null for detections that have no budget."
    )


NEVER = Runs(
    last=None,
    finished=None,
    rows=0,
    seconds=0,
    error="",
    day_runs=0,
    day_errors=0,
    day_rows=0,
    day_seconds=0,
)


def runs_of(running: Running) -> dict[str, Runs]:
    """Return how the runs of all searches went, by the search's id, in one statement."""
    since = exp.GTE(this=column("scheduled"), expression=unsigned(running.clock() - _DAY))
    failed = exp.NEQ(this=column("error"), expression=exp.Literal.string(""))

    def last(name: str) -> exp.Expr:
        return named(call("argMax", column(name), column("scheduled")), f"last_{name}")

    tree = (
        select(
            column("detection"),
            named(call("max", column("scheduled")), "last"),
            *map(last, ("finished", "rows", "error", "seconds")),
            named(call("countIf", since), "day_runs"),
            named(call("countIf", since.copy(), failed), "day_errors"),
            named(call("sumIf", column("rows"), since.copy()), "day_rows"),
            named(call("sumIf", column("seconds"), since.copy()), "day_seconds"),
        )
        .from_("runs")
        .group_by(column("detection"))
    )
    return {
        row["detection"]: Runs(
            last=iso(row["last"]),
            finished=iso(row["last_finished"]),
            rows=row["last_rows"],
            seconds=round(row["last_seconds"], 3),
            error=row["last_error"],
            **{name: row[name] for name in ("day_runs", "day_errors", "day_rows")},
            day_seconds=round(row["day_seconds"], 2),
        )
        for row in running.store.query(tree).to_pylist()
    }


def alarms_of(running: Running) -> dict[str, tuple[int, float]]:
    """Return by detection how many alarms there were in 24 hours, and on average a day over a week."""
    now = running.clock()
    since = exp.GTE(this=column("time"), expression=unsigned(max(0, now - _DAY)))
    both = call("tuple", column("risk_object"), call("intDiv", column("time"), unsigned(_DAY)))
    tree = (
        select(
            column("detection"),
            named(call("uniqExactIf", column("risk_object"), since), "day"),
            named(call("uniqExact", both), "week"),
        )
        .from_("risk")
        .where(exp.GTE(this=column("time"), expression=unsigned(max(0, now - _WEEK * _DAY))))
        .group_by(column("detection"))
    )
    rows = running.store.query(tree).to_pylist()
    return {row["detection"]: (row["day"], row["week"] / _WEEK) for row in rows}
