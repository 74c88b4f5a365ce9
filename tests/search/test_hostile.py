"""Texts chosen by an enemy, as names, attributes, values and literals: they come back as they are."""

from __future__ import annotations

import re

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlglot import exp, parse_one

from engines.fleet import emptied
from helpers import NOW, Row, batch, examples, search, series
from kubestray.search.run import Request, compile_search, run_search
from kubestray.search.source import KnownMacros, Macro
from kubestray.store.engine import render
from kubestray.store.points import Span
from kubestray.store.store import Store

quick = settings(
    max_examples=examples(6),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)

SNIPPETS = [
    *"' \" \\ ` ``` */ /* -- # ; <<MATCHSTR>> <<FIELD>> $x$ $$ {x:String} %s % _ \\' \\N \\x41".split(),
    *"🐍 ü e\u0301 𝒳 \U0010ffff \ufeff | [ ] ( ) , NULL nan 0 -1e5 @ ? :1".split(),
    *("\x00", "\n", "\r", "\t", "\u2028", "\x7f", " ", "' OR 1=1 --", "x" * 5000),
]

hostile = st.one_of(
    st.lists(st.sampled_from(SNIPPETS), max_size=4).map("".join),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
)
# A star is a wildcard wherever a search names something.
starless = hostile.map(lambda text: text.replace("*", "+"))
named = starless.filter(bool)


def quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def evaluated(store: Store, rows: list[Row], text: str) -> list[Row]:
    return search(store, text, rows=rows).rows


@quick
@given(metric=named, key=named, values=st.lists(hostile, min_size=1, max_size=5, unique=True))
@example(metric="m'\\", key="'`\"\\", values=["", "'", "\\", "\x00", "a\x00b", "*/ --"])
def test_what_is_sent_comes_back(store: Store, metric: str, key: str, values: list[str]) -> None:
    fresh = emptied(store)
    fresh.append(batch((series(metric, **{key: value}), NOW, 0, float(n)) for n, value in enumerate(values)))
    text = f"| mstats max({quoted(metric)}) as v where index=* by {quoted(key)}"
    expected = {value: n for n, value in enumerate(values)}
    assert {row[key]: row["v"] for row in search(fresh, text).rows} == expected
    text = "| mstats max(*) as value:* where index=*"
    assert search(fresh, text).rows == [{f"value:{metric}": len(values) - 1}]
    found = search(fresh, "| mpreview index=*")
    assert {row[key]: row["_value"] for row in found.rows if key not in ("_time", "metric_name")} in (
        {},
        expected,
    )
    assert {row["metric_name"] for row in found.rows} == {metric}


@quick
@given(key=named, values=st.lists(starless, min_size=1, max_size=6, unique=True))
@example(key="k", values=["a", "A", "a ", " a", "", "%", "_", "a\\"])
def test_a_value_matches_itself_and_nothing_else(store: Store, key: str, values: list[str]) -> None:
    fresh = emptied(store)
    fresh.append(batch((series("m", k=value, **{f"x{key}": value}), NOW, 0, 1.0) for value in values))
    wanted = values[0]
    for condition in (f"{quoted('x' + key)}={quoted(wanted)}", f"k IN ({quoted(wanted)})"):
        found = search(fresh, f"| mstats count(m) as n where index=* {condition} by k").rows
        assert found == [{"k": wanted, "n": 1}]
    found = search(fresh, f"| mstats count(m) as n where index=* k!={quoted(wanted)} by k").rows
    assert {row["k"] for row in found} == set(values) - {wanted}


@quick
@given(before=starless, after=starless, others=st.lists(hostile, max_size=5))
@example(before="a.", after="$", others=["ax$", "a.$"])
def test_a_star_stands_for_any_text(store: Store, before: str, after: str, others: list[str]) -> None:
    fresh = emptied(store)
    values = {*others, before + after, f"{before}\n'x{after}"}
    fresh.append(batch((series("m", k=value), NOW, 0, 1.0) for value in values))
    found = search(fresh, f"| mstats count(m) as n where index=* k={quoted(f'{before}*{after}')} by k").rows
    pattern = re.compile(f"{re.escape(before)}.*{re.escape(after)}", re.DOTALL)
    assert {row["k"] for row in found} == {value for value in values if pattern.fullmatch(value)}


@quick
@given(text=hostile)
@example(text="'")
@example(text="\\")
@example(text="a\\'b\\")
@example(text="\x00")
@example(text="*/ -- ` {x:String} %s")
def test_a_literal_is_itself(store: Store, text: str) -> None:
    given_rows = [{"t": text, "n": 1}]
    (row,) = evaluated(
        store,
        given_rows,
        f'| eval a={quoted(text)}, b=t."|".a, c=len(a), d=if(a==t, 1, 0), e=mvjoin(split(t, "b"), "b"), '
        f"f=if(in(t, a), 1, 0), 'g{text_in_quotes(text)}'=n",
    )
    assert row["a"] == text
    assert row["b"] == f"{text}|{text}"
    assert row["c"] == len(text)
    assert (row["d"], row["f"]) == (1, 1)
    assert row["e"] == text
    assert row[f"g{text.replace('`', '')}"] == 1


def text_in_quotes(text: str) -> str:
    """Write a text between single quotes; a backtick is a macro there."""
    return text.replace("`", "").replace("\\", "\\\\").replace("'", "\\'")


@quick
@given(texts=st.lists(hostile, min_size=1, max_size=6))
def test_given_rows_come_back(store: Store, texts: list[str]) -> None:
    rows: list[Row] = [{"n": n, "t": text, f"f{text}": n, "m": [text, "x"]} for n, text in enumerate(texts)]
    found = evaluated(store, rows, "| sort n")
    assert found == rows
    values = evaluated(store, rows, "| stats values(t) as v dc(t) as n by t | sort t")
    assert sorted(row["v"] for row in values) == sorted(set(texts))


@quick
@given(names=st.lists(hostile, min_size=1, max_size=4, unique=True))
@example(names=["it's", "<<FIELD>>", "a]b", 'a"b', "a\\"])
def test_field_names_are_only_names(store: Store, names: list[str]) -> None:
    rows: list[Row] = [{f"avg_{name}": n for n, name in enumerate(names)}]
    body = """eval out_<<MATCHSTR>> = "<<MATCHSTR>>" + "=" + tostring('<<FIELD>>')"""
    text = f"| foreach avg_* [ {body} ] | fields out_*"
    expected = {f"out_{name}": f"{name}={n}" for n, name in enumerate(names)}
    assert evaluated(store, rows, text) == [expected]


@quick
@given(old=named, new=named)
def test_fields_of_any_name_can_be_renamed(embedded: Store, old: str, new: str) -> None:
    rows: list[Row] = [{old: 1}]
    found = search(
        embedded, f"| rename {quoted(old)} as {quoted(new)} | fields {quoted(new)} | fields - _x", rows=rows
    )
    assert found.rows == [{new: 1}]


@quick
@given(name=named, values=st.lists(starless, min_size=2, max_size=5, unique_by=str.lower))
@example(name="a b", values=['x" OR y="1', "x"])
@example(name="search", values=["`x`", "$y$"])
def test_what_a_subsearch_returns_is_compared_and_nothing_else(
    store: Store, name: str, values: list[str]
) -> None:
    field = f"f{name}"
    rows: list[Row] = [{field: value, "n": n} for n, value in enumerate(values)]
    wanted = [row for row in rows if row["n"] % 2 == 0]
    for text in ("| search [ search index=wanted | format ]", "| search [ search index=wanted ]"):
        assert search(store, text, rows=rows, indexes={"wanted": wanted}).rows == wanted
    evaluated_too = "| where [ search index=wanted | fields - _x ]"
    assert search(store, evaluated_too, rows=rows, indexes={"wanted": wanted}).rows == wanted


@quick
@given(value=starless, other=starless)
@example(value="a\\|b", other="a|b")
@example(value="10.0.0.0/8", other="10.0.0.0")
def test_a_quoted_value_of_search_is_itself(store: Store, value: str, other: str) -> None:
    rows: list[Row] = [{"n": 1, "f": value}, {"n": 2, "f": f"{other}+"}]
    found = search(store, f"| search f={quoted(value)}", rows=rows).rows
    assert found[:1] == rows[:1]
    assert search(store, f"| search f!={quoted(value)} f={quoted(value)}", rows=rows).rows == []
    listed = search(store, f"| search f IN ({quoted(value)}, {quoted(other + '+')})", rows=rows).rows
    assert listed == rows


@quick
@given(value=st.one_of(starless, hostile))
@example(value='he said "hello", and left')
@example(value="$x$, $y$ `m` ```")
def test_an_argument_of_a_macro_is_itself(embedded: Store, value: str) -> None:
    # A backtick ends the use of a macro.
    value = value.replace("`", "'")
    macros = KnownMacros({("m", 2): Macro("m", 'eval $y$="$x$"', ("x", "y"))})
    request = Request(f"| `m({quoted(value)}, a)`", NOW, Span(), rows=[{"n": 1}], macros=macros)
    (row,) = run_search(request, embedded.query).rows
    assert row.get("a", "") == value


@quick
@given(text=hostile)
def test_a_text_never_changes_the_statement(embedded: Store, text: str) -> None:
    assert shape(embedded, text) == shape(embedded, "harmless")


def shape(store: Store, text: str) -> str:
    """The statement as the engine's dialect reads it, with every literal blanked."""
    any_text, name = quoted("t" + text), quoted("t" + text.replace("*", ""))
    written = (
        f"| mstats max({name}) as v where index=* {name}={name} by {name} | eval a={any_text}"
        f" | search a={name} | stats values(a) as a by v | fillnull value={any_text}"
    )
    made = compile_search(Request(written, NOW, Span()), store.query)
    tree = parse_one(render(made.statement), dialect="clickhouse")
    for literal in tree.find_all(exp.Literal):
        literal.replace(exp.Literal.string(""))
    return tree.sql(dialect="clickhouse")
