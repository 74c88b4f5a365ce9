"""A rewritten plan gives the rows that the plan as it was written gives, from less work."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from helpers import NOW, Row, examples, search
from kubestray.search import compile as statements
from kubestray.search.lookup_store import StoreLookups
from kubestray.search.run import Request, compile_search
from kubestray.store.engine import render
from kubestray.store.points import Span
from kubestray.store.store import Store

ROWS: list[Row] = [
    {"n": 1, "m": 2, "t": "a"},
    {"n": 3, "t": "b", "some": "x"},
    {"m": -1, "t": "a"},
    {"n": 0, "m": 5, "some": ["x", "y"]},
    {},
]

KNOWN: list[Row] = [{"t": "a", "v": 1}, {"t": "b", "v": "w"}]

FIELDS = ("n", "m", "t", "some", "a", "b", "c", "absent", "gone")
CONSTANTS = ("1", "0", "-2.5", '"w"', '""', "null()")
WHOLE = (
    "fillnull",
    "fillnull value=0 n absent",
    "eventstats count AS c BY t",
    "streamstats sum(n) AS c",
    "mvexpand some",
    "sort - n",
    "head 3",
    "append [ makeresults | eval a = 7 ]",
    'foreach n m [ eval a = if(<<FIELD>> > 0, a . "<<FIELD>>,", a) ]',
    "lookup known t OUTPUT v",
    'join type=left t [ makeresults | eval t = "a", some = mvappend("p", "q"), c = if(1 > 0, 3, "w") ]',
    'join max=0 n [ makeresults count=2 | eval n = 3, b = "j" ]',
)
FILTERS = ('x!=""', "isnull(x)", "NOT len(x) < 2", 'split(x, ",")!="w"', "x > 1 OR isnull(x)")
ENDINGS = ("", "| stats count", "| stats sum(a) AS s values(b) AS v BY t", "| fields a t")


plans = settings(
    max_examples=examples(20),
    deadline=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
"""A plan is not made smaller where it fails: its seed says what it was."""


def expression(dice: random.Random, depth: int) -> str:
    if not depth or dice.random() < 0.3:
        return dice.choice(dice.choice((FIELDS, CONSTANTS)))

    def inner() -> str:
        return expression(dice, depth - 1)

    condition = dice.choice(
        (
            lambda: f"{inner()} {dice.choice(('>', '<=', '==', '!='))} {inner()}",
            lambda: f"isnull({inner()})",
            lambda: f"NOT isnotnull({inner()})",
            lambda: f"isnull({inner()}) OR {inner()} < 2",
            lambda: f"isnotnull({inner()}) AND {inner()} == {inner()}",
        )
    )
    made = dice.choice(
        (
            lambda: f"({inner()} {dice.choice('+-*/.')} {inner()})",
            lambda: f"if({condition()}, {inner()}, {inner()})",
            lambda: f"case({condition()}, {inner()}, {condition()}, {inner()})",
            lambda: f"if({condition()}, a . {inner()} . {inner()}, a)",
            lambda: f"coalesce({inner()}, {inner()})",
            lambda: f"nullif({inner()}, {inner()})",
            lambda: f"tostring({inner()})",
            lambda: f"round({inner()}, 1)",
        )
    )
    return made()


def command(dice: random.Random) -> str:
    kind = dice.random()
    if kind < 0.5:
        return f"eval {dice.choice('abcn')} = {expression(dice, 3)}"
    if kind < 0.65:
        return f"where isnotnull({dice.choice(FIELDS)}) OR {dice.choice(FIELDS)} > 1"
    if kind < 0.75:
        return "where " + dice.choice(FILTERS).replace("x", dice.choice("abc"))
    if kind < 0.8:
        return f"rename {dice.choice('at')} AS {dice.choice('bu')}"
    return dice.choice(WHOLE)


def answers(store: Store, text: str) -> tuple[list[str], list[Row]]:
    lookups = StoreLookups(store.query, store.record, {}, {"known": KNOWN})
    found = search(store, text, rows=ROWS, lookups=lookups)
    return found.fields, found.rows


@plans
@given(seed=st.integers(0, 2**32))
def test_the_rows_are_the_same(embedded: Store, seed: int) -> None:
    dice = random.Random(seed)
    steps = [f"| {command(dice)}" for _ in range(dice.randint(0, 6))]
    text = " ".join([*steps, dice.choice(ENDINGS)]).strip() or "| fields *"
    found = answers(embedded, text)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "rewritten", lambda node, _: node)
        patch.setattr(statements, "written_once", lambda node: node)
        expected = answers(embedded, text)
    assert found == expected, text


NUMBERS: list[Row] = [
    {"t": "a", "p": 1, "q": 2.5, "r": -3},
    {"t": "a", "p": 4, "r": 1e12},
    {"t": "b", "q": 0, "s": 7},
    {"t": "c"},
    {"t": "d", "p": 1, "q": 1, "r": 1, "s": 1},
]
CONDITIONS = (
    "'<<FIELD>>' > 1",
    "'<<FIELD>>' > 'm_<<MATCHSTR>>' + 0.5 * m_p",
    "isnull('<<FIELD>>')",
    "'<<FIELD>>' != m_q AND NOT '<<FIELD>>' < 0",
    "true()",
)
PARTS = (
    """ "<<MATCHSTR>>=" . tostring('<<FIELD>>') . ", " """,
    """ "<<FIELD>> is " . tostring(round('<<FIELD>>' - 'm_<<MATCHSTR>>', 2)) . " of " . t . "; " """,
    """ if('<<FIELD>>' > 2, "<<MATCHSTR>> is large ", "<<MATCHSTR>> is not ") . "," """,
    """ replace("of <<MATCHSTR>>", "<<MATCHSTR>>", "x") . tostring('<<FIELD>>') """,
    """ "<<MATCHSTR>>" . '<<FIELD>>' """,
)
TEXTS = (
    """all = if({condition}, all . {part}, all)""",
    """all = all . if({condition}, {part}, "-<<MATCHSTR>>-")""",
    """all = if({condition}, all . {part} . {part}, all)""",
)
LATER = (
    "",
    '| where all != ""',
    '| eval all = split(all, ", ") | where mvcount(all) > 1',
    "| stats values(all)",
)


@plans
@given(seed=st.integers(0, 2**32))
def test_what_is_said_of_several_fields_is_the_same_if_it_is_written_once(embedded: Store, seed: int) -> None:
    dice = random.Random(seed)
    fields = dice.sample("pqrs", dice.randint(2, 4))
    made = " ".join(f"sum({one}) AS s_{one} max({one}) AS m_{one}" for one in "pqrs")
    condition, part = dice.choice(CONDITIONS), dice.choice(PARTS)
    step = dice.choice(TEXTS).format(condition=condition, part=part.strip())
    over = " ".join(f"s_{one}" for one in fields)
    text = f'| stats {made} BY t | eval all = "" | foreach {over} [ eval {step} ] {dice.choice(LATER)}'
    found = search(embedded, text, rows=NUMBERS)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(statements, "written_once", lambda node: node)
        expected = search(embedded, text, rows=NUMBERS)
    assert found == expected, text


def test_what_nothing_reads_is_not_computed(embedded: Store) -> None:
    text = '| makeresults | eval seen="here", unseen="nowhere" | eval more=unseen . "!" | table seen'
    statement = render(compile_search(Request(text, NOW, Span()), embedded.query).statement)
    assert "here" in statement
    assert "nowhere" not in statement


def test_a_text_that_grows_field_by_field_is_one_step(embedded: Store) -> None:
    row: Row = {f"f{n}": n for n in range(30)}
    text = (
        '| eval all = "" | foreach f* [ eval all = if(<<FIELD>> > 3, all . "<<FIELD>> ", all) ] | table all'
    )
    request = Request(text, NOW, Span(), rows=[row])
    compiled = compile_search(request, embedded.query)
    assert len(compiled.statement.ctes) <= 4
    assert search(embedded, text, rows=[row]).rows == [{"all": "".join(f"f{n} " for n in range(4, 30))}]


@pytest.mark.parametrize(("many", "functions"), [(2, 2), (12, 1), (70, 3)])
def test_what_is_said_of_several_fields_alike_is_written_once(
    embedded: Store, many: int, functions: int
) -> None:
    fields = [f"f{n}" for n in range(many)]
    made = " ".join(f"max({one}) AS {one}" for one in fields)
    said = 'foreach f* [ eval all = if(<<FIELD>> > 3, all . "<<FIELD>> is ".<<FIELD>>." ", all) ]'
    text = f'| stats {made} | eval all = "" | {said} | table all'
    row: Row = {f"f{n}": n for n in range(many)}
    statement = render(compile_search(Request(text, NOW, Span(), rows=[row]), embedded.query).statement)
    assert statement.count("greater(") == functions
    told = "".join(f"f{n} is {n} " for n in range(4, many))
    assert search(embedded, text, rows=[row]).rows == [{"all": told}]


def test_all_rows_are_asked_once_for_all_fields(embedded: Store) -> None:
    rows: list[Row] = [{"a": 1, "b": 2}, {"c": 3, "a": 4}]
    request = Request("| fillnull", NOW, Span(), rows=rows)
    assert render(compile_search(request, embedded.query).statement).count("OVER") == 1
    assert search(embedded, "| fillnull", rows=rows).rows == [
        {"a": 1, "b": 2, "c": 0},
        {"a": 4, "b": 0, "c": 3},
    ]


def test_rows_that_a_later_filter_drops_are_left_out_before_texts_are_made(embedded: Store) -> None:
    rows: list[Row] = [{"a": 1, "b": 9}, {"a": 7, "b": 2}, {"a": 1}, {}, {"b": 3, "a": 8}]
    grown = '| eval all = "" | foreach a b [ eval all = if(<<FIELD>> > 5, all . "<<FIELD>>, ", all) ]'
    parts = '| eval all = split(replace(all, ",\\s$", ""), ", ") | where all!="" | table a b all'
    statement = render(
        compile_search(Request(grown + parts, NOW, Span(), rows=rows), embedded.query).statement
    )
    assert statement.count("WHERE") == 2  # of the conditions, where the text is made, and of the text
    assert search(embedded, grown + parts, rows=rows).rows == [
        {"a": 1, "b": 9, "all": "b"},
        {"a": 7, "b": 2, "all": "a"},
        {"a": 8, "b": 3, "all": "a"},
    ]
    kept = grown + ' | where all="" | table a b'  # holds where no condition does: nothing can be left out
    assert search(embedded, kept, rows=rows).rows == [{"a": 1}, {}]


def test_what_chance_decides_is_decided_once(embedded: Store) -> None:
    """Rows are left out early by what a choice reads, but not by what would be drawn anew."""
    rows: list[Row] = [{"a": n} for n in range(400)]
    drawn = '| eval t = if({} % 2 == 1, "odd", "") | where t != "" | stats count'
    texts = [drawn.format("a"), drawn.format("(a + random())")]
    requests = [Request(text, NOW, Span(), rows=rows) for text in texts]
    made = [render(compile_search(request, embedded.query).statement) for request in requests]
    assert [one.count("WHERE") for one in made] == [2, 1]
    counts = [search(embedded, text, rows=rows).rows[0]["count"] for text in texts]
    assert counts[0] == 200
    assert 140 < counts[1] < 260
