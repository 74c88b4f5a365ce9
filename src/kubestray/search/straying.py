"""What `stray` finds: profiles advanced over the bins of a search, and the rows that come of it."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa

from kubestray.baseline import snapshot
from kubestray.baseline.alerts import Alerts
from kubestray.baseline.arrays import Floats, Ints
from kubestray.baseline.judging import Judge, Question
from kubestray.baseline.profile import DAY, Form, Key, Profile
from kubestray.model.errors import SearchError
from kubestray.search.history import bin_seconds, check_row_by_row, extends, pieces
from kubestray.search.plan import Column
from kubestray.search.relation import Context, Held, Relation
from kubestray.search.results import rows_of
from kubestray.search.times import SECOND_NS
from kubestray.search.values import NULL, NULL_NUMBER, Shape, as_number, as_text
from kubestray.store.trees import Tree

Row = dict[str, Any]

MOST_ROWS = 200_000


@dataclass(frozen=True, slots=True)
class Wish:
    """What a `stray` command asks for; ``history`` in seconds."""

    fields: tuple[str, ...]
    keys: tuple[str, ...]
    question: Question
    per_day: float
    history: float
    peers: tuple[str, ...] = ()
    alerts: Alerts | None = None
    familiar_days: int = 0


def found(wish: Wish, relation: Relation, context: Context, at: int) -> list[Row]:
    """Return the rows of the search's time range, judged; raise `SearchError` for rows that cannot be.

    Reported are the bins that end in the range, so that ranges which follow each other report each bin once,
    and only bins that have ended: half a bin is no value.
    """
    try:
        if extends(relation, context):
            return _followed(wish, relation, context)
        return _as_given(wish, relation, context)
    except SearchError as error:
        raise error if error.position else context.error(at, error.message, error.hint) from error


def form_of(wish: Wish, step: float) -> Form:
    """Return what the profile of a command is of."""
    direction, days = wish.question.direction, wish.familiar_days
    return Form(wish.keys, wish.fields, step, wish.per_day, direction, wish.alerts, days)


def identity(wish: Wish, context: Context) -> str:
    """Return what tells the profile of this search from others: whatever it depends on, as a hash."""
    assert context.before
    form = form_of(wish, 0.0)
    asked = [form.keys, form.metrics, form.per_day, form.direction, wish.history]
    if wish.alerts:  # what is told shares a budget, so it is a matter of the whole question
        asked += [wish.alerts.per_day, wish.alerts.within, *dataclasses.astuple(wish.question)[:3]]
    if wish.familiar_days:
        asked += ["familiar", wish.familiar_days]
    text = " ".join(context.before.text.split())
    settings = [context.metric_indexes, context.timezone, str(context.switches)]
    parts = [snapshot.KEPT_AS, text, asked, settings]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


def subject(wish: Wish, context: Context) -> str:
    """Return what orders about a profile go by, as a hash: they outlive another budget or direction."""
    assert context.before
    parts = [wish.keys, wish.fields, " ".join(context.before.text.split())]
    return hashlib.sha256(json.dumps(parts).encode("utf-8", "surrogatepass")).hexdigest()[:32]


@dataclass(frozen=True, slots=True)
class Range:
    """Starts of bins in seconds: those to report from ``first`` on, up to and without ``end``."""

    first: float
    end: float


def reported(context: Context, step: float) -> Range:
    """Return which bins the range of the search is about: those that end in it."""
    latest = context.now if context.span.latest is None else context.span.latest
    size = round(step * SECOND_NS)
    return Range(context.span.earliest // size * size / SECOND_NS, latest // size * size / SECOND_NS)


def _followed(wish: Wish, relation: Relation, context: Context) -> list[Row]:
    """Advance the profile of this search to the end of its range, from as late a state as there is."""
    assert context.before
    check_row_by_row(context.before, context)
    step = bin_seconds(context.before, relation, context)
    if step is None or "_time" not in relation.fields:
        raise SearchError("stray needs bins of one length in _time", hint="write span=1m in mstats")
    wanted = reported(context, step)
    of, report = identity(wish, context), repr((wish.question, wish.peers))
    held = context.profiles.live(of) if context.profiles else None
    if held and _has_come_past(held, wanted, form_of(wish, step), report):
        return [row for time, row in held.rows if wanted.first <= time < wanted.end]
    profile, rows, since = _state(held, wish, context, wanted, step, of, report)
    if context.profiles and held and profile is held.profile:
        context.profiles.drop(of)  # until it has come to the end: after a failure it would lack rows
    if context.profiles:
        profile.orders = context.profiles.orders(subject(wish, context))
    start = profile.until if math.isfinite(profile.until) else origin(wish, context, wanted, step)
    judge = Judge(profile, wish.question)
    made = [row for row in rows if wanted.first <= row[0] < wanted.end]
    more = partial(prepared, wish, context=context)
    for part, table in pieces(context.before, context, (start, wanted.end, step), more):
        made += judged_rows(judge, wish, part, table, max(wanted.first, start))
        _refuse_many(made)
    # A bin without rows was learned too: there was nothing to learn.
    profile.until = max(profile.until, wanted.end)
    if context.profiles and (held is None or profile.until >= held.profile.until):
        context.profiles.keep(of, Held(profile, report, since, tuple(made)))
    return [row for _, row in made]


def _has_come_past(held: Held, wanted: Range, form: Form, report: str) -> bool:
    """Return whether the rows of a range were given already: a score depends on no later row."""
    learned = held.profile.form == form and wanted.end <= held.profile.until
    return learned and held.report == report and held.since <= wanted.first


def _state(
    held: Held | None, wish: Wish, context: Context, wanted: Range, step: float, of: str, report: str
) -> tuple[Profile, tuple[tuple[float, Row], ...], float]:
    """Return a profile to go on from, the rows it gave for bins it has learned, and from when these are
    all.
    """
    if held and held.profile.form == form_of(wish, step):
        if held.profile.until <= wanted.first:
            return held.profile, (), wanted.first
        if held.report == report and held.since <= wanted.first and held.profile.until <= wanted.end:
            return held.profile, held.rows, wanted.first
    kept = context.profiles.nearest(of, wanted.first) if context.profiles else None
    if kept is not None and kept.form == form_of(wish, step):
        return kept, (), wanted.first
    return Profile(form_of(wish, step)), (), wanted.first


def origin(wish: Wish, context: Context, wanted: Range, step: float) -> float:
    """Return from when a profile that knows nothing learns: the start of a day, so that whoever looks at the
    same day learns the same.
    """
    first = context.catalog.first_seen()
    seen = wanted.end if first is None else min(first / SECOND_NS, wanted.end)
    return math.floor(max((wanted.first - wish.history) // DAY * DAY, seen) / step) * step


def _as_given(wish: Wish, relation: Relation, context: Context) -> list[Row]:
    """Learn from the rows that come in, and report those of the range of the search."""
    assert context.table
    if "_time" not in relation.fields:
        raise SearchError("stray needs bins of one length in _time", hint="write span=1m in mstats")
    shown = len(relation.fields)
    step = bin_seconds(context.before, relation, context)
    relation = prepared(wish, relation, context)
    table = context.table(relation)
    step = step or _spacing(_numbers(table.column(shown)))
    wanted = reported(context, step)
    judge = Judge(Profile(form_of(wish, step)), wish.question)
    made = judged_rows(judge, wish, relation, table, wanted.first)
    end = math.inf if context.span.latest is None else wanted.end
    rows = [row for time, row in made if time < end]
    _refuse_many(rows)
    return rows


def _refuse_many(rows: Sequence[Any]) -> None:
    if len(rows) > MOST_ROWS:
        raise SearchError(
            f"stray gives more than {MOST_ROWS} rows", hint="look at less time, or at alerts only"
        )


def _spacing(times: Floats) -> float:
    """Return the least distance of times, which is the length of a bin; a minute for a single time."""
    apart = np.diff(np.unique(times[np.isfinite(times)]))
    return float(apart.min()) if len(apart) else 60.0


def judged_rows(
    judge: Judge, wish: Wish, relation: Relation, table: pa.Table, report_from: float
) -> list[tuple[float, Row]]:
    """Learn from the rows of `prepared`, and return those of bins that start at a time or later, judged."""
    shown = len(relation.fields) - _hidden(wish)
    times, values = numbers_of(wish, relation, table)
    columns = iter(table.columns[shown + 1 + len(wish.fields) :])
    codes, keys = _keys([next(columns) for _ in wish.keys])
    groups = _keys([next(columns) for _ in wish.peers])[0] if wish.peers else None
    place = np.flatnonzero((codes >= 0) & np.isfinite(times))
    step = judge.profile.form.step
    if np.any(np.abs(times[place] / step - np.round(times[place] / step)) > 1e-6):
        raise SearchError(
            "_time is not in bins of one length", hint=f"expected whole multiples of {step:g} s"
        )
    own_groups = None if groups is None else groups[place]
    told = judge.take(times[place], keys, codes[place], values[place], report_from, own_groups)
    try:
        found = [(one, index) for one in told for index in np.flatnonzero(one.shown).tolist()]
    except ValueError as error:
        hint = "after BY, name all fields that tell the rows of a bin apart"
        raise SearchError(str(error), hint=hint) from error
    rows_at = (
        {(times[n], keys[codes[n]]): n for n in place[times[place] >= report_from].tolist()} if found else {}
    )
    chosen = [rows_at[one.time, one.keys[index]] for one, index in found]
    fields = dict(list(relation.fields.items())[:shown])
    plain = rows_of(
        table.select(range(shown)).take(pa.array(chosen, pa.int64())), relation.with_fields(fields)
    )
    return [(one.time, {**row, **one.fields(index)}) for (one, index), row in zip(found, plain, strict=True)]


def numbers_of(wish: Wish, relation: Relation, table: pa.Table) -> tuple[Floats, Floats]:
    """Return times and values (rows, metrics) of the rows of `prepared`."""
    shown = len(relation.fields) - _hidden(wish)
    times = _numbers(table.column(shown))
    values = [_numbers(table.column(shown + 1 + place)) for place in range(len(wish.fields))]
    return times, np.stack(values, axis=1)


def prepared(wish: Wish, relation: Relation, context: Context) -> Relation:
    """Return rows with more fields at their end: time and metrics as numbers, keys and groups of peers as
    texts.

    A metric that is no field has no values.
    """
    made: list[tuple[str, Column, Tree]] = []
    for name in ("_time", *wish.fields):
        tree = as_number(relation.value(name) or NULL_NUMBER)
        made.append((f"number\0{name}", context.column(Shape.NUMBER), tree))
    for kind, names in (("key", wish.keys), ("peer", wish.peers)):
        made += [
            (f"{kind}\0{name}", context.column(Shape.TEXT), as_text(relation.value(name) or NULL))
            for name in names
        ]
    return relation.extended(made)


def _hidden(wish: Wish) -> int:
    return 1 + len(wish.fields) + len(wish.keys) + len(wish.peers)


def _numbers(column: pa.ChunkedArray) -> Floats:
    """Return a column as numbers, NaN where it has none."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _keys(columns: Sequence[pa.ChunkedArray]) -> tuple[Ints, list[Key]]:
    """Return for each row which key it has (-1 if a part of it is null), and the keys."""
    codes, missing = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=bool)
    coded: list[tuple[Ints, list[str]]] = []
    for one in columns:
        encoded = one.cast(pa.string()).combine_chunks().dictionary_encode()
        encoded = encoded.combine_chunks() if isinstance(encoded, pa.ChunkedArray) else encoded
        own = encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False).astype(np.int64)
        first = not coded
        codes = own if first else np.where(codes < 0, -1, codes * (len(encoded.dictionary) + 1) + own)
        missing = own < 0 if first else missing | (own < 0)
        # Numbered anew, so that many fields do not overflow.
        _, codes = np.unique(codes, return_inverse=True)
        coded.append((own, encoded.dictionary.to_pylist()))
    codes = np.where(missing, -1, codes)
    distinct, first_row, inverse = np.unique(codes, return_index=True, return_inverse=True)
    keys = [
        tuple(values[own[row]] for own, values in coded)
        for code, row in zip(distinct.tolist(), first_row.tolist(), strict=True)
        if code >= 0
    ]
    return inverse - int(len(distinct) > 0 and distinct[0] < 0), keys
