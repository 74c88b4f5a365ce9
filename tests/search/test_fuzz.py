"""Any text is a search or a `SearchError`; and what compiles runs."""

from __future__ import annotations

import itertools
import random
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from case_file import read_cases
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from helpers import NOW, Row, examples, search
from kubestray.model.errors import SearchError
from kubestray.search.commands import MODULES
from kubestray.search.functions import FUNCTIONS
from kubestray.search.parser import parse
from kubestray.search.run import Request, compile_search, no_macros
from kubestray.search.source import Macro, expand
from kubestray.search.statistics import STATISTICS
from kubestray.store.points import Span
from kubestray.store.store import Store

WORDS = [
    *MODULES,
    *list(FUNCTIONS)[:20],
    *"| | | [ ] ( ) , = == != < > <= >= + - * / % . ! ' \" ` ``` $x$ $$ ; -- /* */ \\ 🐍 \x00".split(),
    *"by as and or not in like xor where span=10s type=left max=0 index=* earliest=-1h value=x".split(),
    *"'a b' \"t\" a b.c * <<FIELD>> <<MATCHSTR>> `m` `m(1,2)` 1 2.5 1e5 -1 count avg(x) count(*)".split(),
    "\n",
    "\t",
]

CASES = Path(__file__).parent / "cases"

soup = st.lists(st.sampled_from(WORDS), max_size=25).map(" ".join)


def macros(name: str, count: int) -> Macro | None:
    return Macro(name, "eval $x$ | `m`" if count else "eval a=", ("x", "y")[:count]) if count < 3 else None


def problem(work: Callable[[], object]) -> str | None:
    """What a search is refused for, with its place; empty if a place is not told."""
    try:
        work()
    except SearchError as error:
        return str(error) if error.position else ""
    return None


@settings(max_examples=examples(150), deadline=None, derandomize=True)
@given(text=st.one_of(soup, st.text(max_size=40), soup.map(lambda text: "| eval a = " + text)))
@example(text="| foreach * [")
@example(text="`" * 5)
@example(text="| eval a=" + "(" * 50 + "1" + ")" * 50)
def test_any_text_parses_or_is_refused(text: str) -> None:
    for known in (no_macros, macros):
        assert problem(lambda known=known: parse(expand(text, known))) != ""


@pytest.mark.parametrize(
    ("start", "opening"),
    [
        ("| eval a = ", "("),
        ("| eval a = ", "-"),
        ("| eval a = ", "len("),
        ("| where ", "NOT "),
        ("| search ", "("),
        ("| search ", "NOT "),
        ("", "| foreach * [ "),
    ],
)
def test_a_search_that_nests_too_deeply_is_refused(start: str, opening: str) -> None:
    with pytest.raises(SearchError):
        parse(expand(start + opening * 20_000, no_macros))


ROWS: list[Row] = [
    {"n": 1.5, "t": "abc", "m": ["a", "b"], "d": 1, "_time": 5},
    {"n": -2, "t": "", "m": ["10"], "d": "x", "_time": 4},
    {"t": "7", "m": ["c", "d"], "d": ["p", "q"]},
    {},
]
ATOMS = [
    "n",
    "t",
    "m",
    "d",
    "nothing",
    "null()",
    "5",
    '"lit"',
    '"7"',
    "n>1",
    "-n",
    "t.m",
    "if(n>1, n, t)",
    "n+t",
]


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(text=soup.map(lambda text: "| " + text))
@example(text="| rare n n")
@example(text="| stats count by n n")
@example(text="| stats earliest(d) as e")
def test_what_compiles_runs(embedded: Store, text: str) -> None:
    assert problem(lambda: search(embedded, text, rows=ROWS)) != ""


TOKEN = re.compile(r"""\"(?:[^\"\\]|\\.)*\"|'[^']*'|\w+|\s+|.""", re.DOTALL)
KNOWN = sorted({case.search for path in CASES.glob("*.cases") for case in read_cases(path)})
SLOW = re.compile(r"count=\d{4}|mvrange|\d{6}")


@settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(seed=st.integers(0, 2**32))
def test_a_search_with_a_slip_runs_or_is_refused(embedded: Store, seed: int) -> None:
    """A search that works, with one to three tokens lost, doubled, changed or out of order."""
    text = slipped(random.Random(seed))
    if not SLOW.search(text):
        indexes = {"main": ROWS}
        assert problem(lambda: search(embedded, text, rows=ROWS, indexes=indexes)) != "", text


def slipped(dice: random.Random) -> str:
    tokens = TOKEN.findall(dice.choice(KNOWN))
    for _ in range(dice.randint(1, 3)):
        if not tokens:
            break
        at, other = dice.randrange(len(tokens)), dice.randrange(len(tokens))
        word = dice.choice([*WORDS, *TOKEN.findall(dice.choice(KNOWN))])
        match dice.randrange(5):
            case 0:
                del tokens[at]
            case 1:
                tokens.insert(at, word)
            case 2:
                tokens[at] = word
            case 3:
                tokens.insert(at, tokens[other])
            case _:
                tokens[at], tokens[other] = tokens[other], tokens[at]
    return "".join(tokens)


@settings(max_examples=examples(150), deadline=None, derandomize=True)
@given(inside=st.text(st.sampled_from(list('ab,"\\=$() x`')), max_size=12))
@example(inside=",")
@example(inside='\\"a\\"')
@example(inside='x="')
@example(inside="x=1,x=2")
def test_any_arguments_of_a_macro_are_read_or_refused(inside: str) -> None:
    assert problem(lambda: expand(f"| `m({inside})`", macros)) != ""


def calls() -> list[str]:
    made: list[str] = []
    for name, function in FUNCTIONS.items():
        for count in range(function.least, min(function.most, 3) + 1):
            # Three arguments of every kind would drown the other calls.
            kinds = ATOMS if count < 3 else ["n", "m", "d", "null()", '"lit"']
            made += [
                f"{name}({', '.join(arguments)})" for arguments in itertools.product(kinds, repeat=count)
            ]
    for operator in ("+", "-", "*", "/", "%", "."):
        made += [f"{a} {operator} {b}" for a, b in itertools.product(ATOMS, repeat=2)]
    for operator in ("=", "<", "!=", "IN"):
        made += [f'if({a} {operator} ({b}), "y", "n")' for a, b in itertools.product(ATOMS, repeat=2)]
    return made


def test_every_function_of_every_kind_of_value_runs(embedded: Store) -> None:
    """A sample of all calls, many in one search; a search that fails is cut in halves to name the call."""
    dice = random.Random(7)
    known = calls()
    chosen = dice.sample(known, min(examples(150), len(known)))
    sample = [call for call in chosen if _compiles(embedded, call)]
    assert len(sample) > 45
    refused = [
        call for start in range(0, len(sample), 25) for call in _failing(embedded, sample[start : start + 25])
    ]
    assert refused == []


def _compiles(store: Store, call: str) -> bool:
    try:
        compile_search(Request(f"| eval z = {call}", NOW, Span(), rows=ROWS), store.query)
    except SearchError:
        return False
    return True


def _failing(store: Store, calls: list[str]) -> list[str]:
    try:
        search(store, "| eval " + ", ".join(f"z{n} = {call}" for n, call in enumerate(calls)), rows=ROWS)
    except Exception as error:  # noqa: BLE001 (told by the assertion)
        if len(calls) == 1:
            return [f"{calls[0]}: {error}"[:300]]
        half = len(calls) // 2
        return _failing(store, calls[:half]) + _failing(store, calls[half:])
    return []


@pytest.mark.parametrize("name", STATISTICS)
def test_every_statistic_of_every_kind_of_value_runs(embedded: Store, name: str) -> None:
    of_each = " ".join(f"{name}({argument}) as z_{argument}" for argument in ("n", "t", "m", "d", "nothing"))
    for by in ("", " by d m"):
        found = search(embedded, f"| stats {of_each} count{by}", rows=ROWS)
        assert {"z_n", "z_t", "z_m", "z_d", "z_nothing"} < set(found.fields)
