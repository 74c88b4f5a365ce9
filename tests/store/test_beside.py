"""A part of a statement that runs beside it changes nothing of what the statement says."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
from sqlglot import exp

from kubestray.model.errors import LimitExceeded, StoreError
from kubestray.store.beside import apart, parted
from kubestray.store.embedded import EmbeddedEngine
from kubestray.store.engine import Limits, Ready, prepared, render
from kubestray.store.store import Store
from kubestray.store.trees import array, call, column, named, number, select, table, text

TEXTS = ("plain", "", "a\nb\t'c' \\ \"", "beside-", "ü € 𝄞", "\x00x")
COLUMNS = {"k": "Nullable(UInt8)", "t": "Nullable(String)", "v": "Nullable(Float64)", "many": "Array(String)"}
ROWS = 6


def part(rows: int = ROWS) -> exp.Select:
    """Texts of all kinds, numbers that take all of their digits, and lists; by the number of the row."""
    place = call("plus", call("modulo", column("number"), number(ROWS)), number(1))
    word = call("arrayElement", array(map(text, TEXTS)), place)
    shown = [
        named(call("toNullable", call("toUInt8", call("modulo", column("number"), number(200)))), "k"),
        named(call("nullIf", word, text("plain")), "t"),
        named(
            call("nullIf", call("divide", call("plus", column("number"), number(1)), number(3)), number(1)),
            "v",
        ),
        named(
            call(
                "arrayMap",
                exp.Lambda(this=word.copy(), expressions=[exp.to_identifier("x")]),
                call("range", place),
            ),
            "many",
        ),
    ]
    return select(*shown).from_(call("numbers", number(rows)))


def whole(inner: exp.Select, *shown: exp.Expr) -> exp.Select:
    """Join numbers to a part that may run beside; the part reads a step of the statement."""
    chosen = apart(select(*map(column, COLUMNS)).from_("made"), COLUMNS)
    rows = named(call("toNullable", call("toUInt8", column("number"))), "n")
    numbers = table(select(rows).from_(call("numbers", number(ROWS + 2))), "ours")
    on = exp.EQ(this=column("n"), expression=column("k"))
    statement = select(*(shown or (column("n"), *map(column, COLUMNS)))).from_(numbers)
    statement = statement.join(table(chosen, "theirs"), on=on, join_type="left", copy=False)
    statement = statement if shown else statement.order_by("n", copy=False)
    return statement.with_("made", as_=inner, copy=False).with_("unread", as_=part(1), copy=False)


@pytest.fixture
def engine(embedded: Store) -> EmbeddedEngine:
    assert isinstance(embedded.engine, EmbeddedEngine)
    return embedded.engine


@pytest.fixture
def pipes(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """What the pipes are called that a test makes; when it ends none of them is open."""
    made: list[str] = []
    pipe = os.pipe

    def noted() -> tuple[int, int]:
        ends = pipe()
        made.append(str(Path(f"/proc/self/fd/{ends[0]}").readlink()))
        return ends

    monkeypatch.setattr(os, "pipe", noted)
    yield made
    still: set[str] = set()
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the engine's threads open and close files of their own
            still.add(str(link.readlink()))
    assert still.isdisjoint(made)


def ready(statement: exp.Select) -> Ready:
    found = prepared(statement).at([])
    assert found.beside
    return found


def test_the_rows_are_the_same(engine: EmbeddedEngine, pipes: list[str]) -> None:
    statement = whole(part())
    both = ready(statement)
    assert both.text == render(statement)
    found = engine.query(both)
    assert found.equals(engine.query(statement))
    assert found.num_rows == ROWS + 2
    assert found.column("t").to_pylist()[1:ROWS] == list(TEXTS[1:])
    assert len(pipes) == 1


def test_a_part_without_rows_is_no_failure(engine: EmbeddedEngine, pipes: list[str]) -> None:
    statement = whole(part().where(exp.false()))
    found = engine.query(ready(statement))
    assert found.equals(engine.query(statement))
    assert found.num_rows == ROWS + 2
    assert len(pipes) == 1


def test_a_statement_without_such_a_part_stays_whole() -> None:
    assert parted(part()) is None
    assert parted(apart(part(), COLUMNS)) is None  # there is nothing that it could run beside
    assert prepared(part()).at([]).beside is None


def test_each_half_has_the_steps_that_it_reads() -> None:
    both = ready(whole(part())).beside
    assert both
    assert "made" not in both.main
    assert "made AS" in both.part
    assert "unread" not in both.main + both.part


def test_the_limit_on_rows_is_for_the_result(engine: EmbeddedEngine) -> None:
    counted = whole(part(), named(call("count"), "found"))
    assert engine.query(ready(counted), Limits(rows=1)).to_pylist() == [{"found": ROWS + 2}]
    with pytest.raises(LimitExceeded, match="more than the 3 rows"):
        engine.query(ready(whole(part())), Limits(rows=3))


def failing(rows: int) -> exp.Select:
    return part(rows).where(
        call("throwIf", call("equals", column("number"), number(rows - 1)), text("no luck"))
    )


def unplanned(statement: exp.Select) -> exp.Select:
    return statement.where(call("isNull", column("nowhere")))


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (lambda: whole(failing(ROWS)), "no luck"),  # before it has given any row
        (lambda: unplanned(whole(part())), "nowhere"),
        (lambda: unplanned(whole(part(200_000))), "nowhere"),  # more than a pipe holds: nobody reads it
        (lambda: whole(part(), call("throwIf", call("isNotNull", column("n")), text("no luck"))), "no luck"),
    ],
)
def test_what_fails_is_told_and_leaves_nothing(
    engine: EmbeddedEngine, pipes: list[str], made: Callable[[], exp.Select], told: str
) -> None:
    with pytest.raises(StoreError, match=told):
        engine.query(ready(made()))
    assert pipes
    assert engine.query(part(1)).num_rows == 1


def endless() -> exp.Select:
    return part(10**15).where(call("equals", call("cityHash64", column("number")), number(0)))


def test_the_limit_on_time_is_for_both(engine: EmbeddedEngine, pipes: list[str]) -> None:
    with pytest.raises(LimitExceeded, match="did not end within"):
        engine.query(ready(whole(endless())), Limits(seconds=0.3))
    assert pipes


def test_who_interrupts_the_statement_ends_its_part(
    engine: EmbeddedEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = engine.query_text

    def interrupted(sql: str, *rest: Limits | str | None) -> bytes:
        if "cityHash64" in sql:
            return run(sql, *rest)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    monkeypatch.setattr(engine, "query_text", interrupted)
    with pytest.raises(KeyboardInterrupt):
        engine.query(ready(whole(endless())))
