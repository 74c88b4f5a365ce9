"""A search is checked without data: all its problems at once, each where it stands, and no echo of them."""

from __future__ import annotations

import pytest

from helpers import NOW
from kubestray.model.errors import SearchError
from kubestray.search.check import Checked, Known, check_search
from kubestray.search.run import Request, compile_search
from kubestray.search.source import KnownMacros, Macro
from kubestray.search.stand_in import ANY
from kubestray.store.points import Span
from kubestray.store.store import Store

MSTATS = "| mstats avg(tcp.*) AS tcp.* where index=* by host k8s.pod.name span=1m"
MACROS = KnownMacros(
    {
        ("ok", 0): Macro("ok", "index=*"),
        ("bad", 1): Macro("bad", "eval a = nope($x$)", ("x",)),
        ("inner", 1): Macro("inner", "eval a = abs($x$)", ("x",)),
        ("around", 1): Macro("around", "eval b = 1 | `inner($x$)`", ("x",)),
    }
)


def check(text: str, **known: object) -> Checked:
    return check_search(text, Known(MACROS, **known))  # type: ignore[arg-type]


def told(text: str, **known: object) -> list[str]:
    found = (str(problem) for problem in check(text, **known).problems)
    return [problem.replace("line 1, column ", "") for problem in found]


def starts(text: str, *expected: str) -> None:
    found = told(text)
    assert len(found) == len(expected), found
    for problem, start in zip(found, expected, strict=True):
        assert problem.startswith(start), found


@pytest.mark.parametrize(
    "text",
    [
        MSTATS,
        f"{MSTATS} | stats avg(tcp.bytes) AS b by host | where b > 5",
        f"{MSTATS} | timechart span=5m avg(tcp.bytes) by host",
        f"{MSTATS} | chart count over host by k8s.pod.name",
        f"{MSTATS} | foreach tcp.* [ eval hit_<<MATCHSTR>> = '<<FIELD>>' * 2 ] | fillnull",
        f"{MSTATS} | join type=left host [ mstats avg(x) as y where index=* earliest=-1d by host ]",
        f"{MSTATS} | appendpipe [ stats count ] | sort - count | head 5",
        f"{MSTATS} | search [ mstats count(x) as n where index=* by host | fields host ]",
        f"{MSTATS} | where count > [ makeresults | return $count ]",
        "| mstats avg(x) where index=* earliest=[ makeresults | eval t = 5 | return $t ]",
        "| mpreview index=* | stats count by pod",
        "| mpreview index=* | table pod namespace | where pod = namespace",
        "| makeresults | eval a = 1 | outputlookup mine",
        "index=risk | stats count by risk_object",
        "| mstats count(x) where `ok`",
        '| makeresults | eval a = "k8s.pod.name" . "x" | eval b = a.a',
    ],
)
def test_right_searches_have_no_problems(text: str) -> None:
    assert told(text) == []


def test_the_check_goes_on_after_a_command_that_cannot_be_read() -> None:
    text = f"{MSTATS} | evil | eval a = lenn(host) | where ( | stats cuont(a) by host | head 5 | tail x"
    problems = {text.rindex(problem) + 1: said for problem, said in [
        ("evil", "unknown command 'evil' (did you mean eval?)"),
        ("lenn", "unknown function lenn() (did you mean len?)"),
        ("| stats", "expected a value, found '|' (a field, a number, \"text\" or a function)"),
        ("cuont", "unknown aggregate cuont() (did you mean count?)"),
        ("x", "expected the next command after a pipe, found 'x' (it is written tail N)"),
    ]}  # fmt: skip
    found = sorted(told(text), key=lambda problem: int(problem.split(":")[0]))
    assert found == [f"{column}: {said}" for column, said in problems.items()]


def test_the_check_goes_on_inside_brackets_and_after_them() -> None:
    starts(
        "| makeresults | append [ makeresults | evil x | eval b = nope(1) ] | eval c = nope(2)",
        "40: unknown command 'evil'",
        "58: unknown function nope()",
        "79: unknown function nope()",
    )


def test_the_check_goes_on_after_a_bracket_too_many() -> None:
    starts("| makeresults ] | evil | head 5", "15: expected the next command", "19: unknown command 'evil'")


def test_what_is_never_closed_ends_the_check() -> None:
    starts('| makeresults | eval a = "x | evil', '26: unclosed quote (add the closing ")')


def test_a_wrong_first_command_has_no_echo() -> None:
    starts("| mstast count(x) where index=* | timechart count | where a > 1", "3: unknown command 'mstast'")
    starts(
        "| evil | stats count by host | lookup mine host",
        "3: unknown command 'evil'",
        "32: unknown lookup 'mine'",
    )


def test_a_macro_that_is_not_known_hides_only_the_command_it_stands_in() -> None:
    starts(
        "| makeresults | `nothing` | eval a = `nobody` + | evil | eval b = nope(1)",
        "17: unknown macro `nothing`",
        "38: unknown macro `nobody`",
        "51: unknown command 'evil'",
        "67: unknown function nope()",
    )


def test_the_same_problem_in_a_repeated_command_is_told_once() -> None:
    starts(
        "| mstats avg(a) avg(b) where index=* | foreach * [ eval x = nope(1) ]", "61: unknown function nope()"
    )


def test_a_problem_inside_a_macro_is_told_with_its_use() -> None:
    assert told("| makeresults | `bad(1)`") == [
        "macro bad:1:10: unknown function nope() (docs/spl.md lists the functions); used at 17"
    ]


def test_a_problem_in_the_argument_of_a_macro_is_told_where_the_argument_stands() -> None:
    assert told("| makeresults | `around(lenn(1))`") == ["25: unknown function lenn() (did you mean len?)"]
    assert told('| makeresults | `around("lenn(1)")`') == ["26: unknown function lenn() (did you mean len?)"]


@pytest.mark.parametrize(
    ("command", "problem"),
    [
        ("where k8s.pod.name = 1", "k8s.pod.name joins the fields k8s, pod, name, which no row has "
         "(write 'k8s.pod.name' in single quotes)"),
        ("eval x = a.b . \"c\"", "warning: a.b joins the fields a, b, which no row has "
         "(write 'a.b' in single quotes)"),
        ("eval x = 100 * tcp.bytes + 1", "tcp.bytes joins the fields tcp, bytes, which no row has "
         "(write 'tcp.bytes' in single quotes)"),
        ("where host = null", "warning: null is the name of a field here, which no row has "
         "(write isnull(FIELD) or isnotnull(FIELD))"),
        ("where host != TRUE", "warning: TRUE is the name of a field here, which no row has "
         '(write true(), or "true" for the text)'),
        ("search host=a stats", "warning: 'stats' is a word to look for here, not a command "
         "(is a pipe missing before stats?)"),
        ("stats count by host sort", "warning: 'sort' is the name of a field here, not a command "
         "(is a pipe missing before sort?)"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant(command: str, problem: str) -> None:
    (found,) = told(f"{MSTATS} | {command}")
    assert found.split(": ", 1)[1] == problem


def test_every_dotted_field_of_a_calculation_is_told() -> None:
    found = told(f"{MSTATS} | eval x = 2 * a.b + c.d.e / 3 - host")
    assert [problem.split(": ", 1)[1].split(" joins")[0] for problem in found] == [
        "warning: a.b",
        "warning: c.d.e",
    ]


def test_a_missing_pipe_after_the_clause_of_mstats() -> None:
    (found,) = told("| mstats avg(x) where index=* stats count")
    assert found == "31: expected attribute=value, found 'stats' (is a pipe missing before stats?)"


@pytest.mark.parametrize(
    "command",
    ["eval x = host.host", 'where "null" = host', "eval null = 1 | where null = 1", "where isnull(null)"],
)
def test_what_is_not_suspicious(command: str) -> None:
    assert told(f"{MSTATS} | {command}") == []


@pytest.mark.parametrize(
    ("text", "there", "not_there"),
    [
        (MSTATS, ["host", "k8s.pod.name", "_time", "tcp.bytes"], ["tcp", "pod"]),
        (f"{MSTATS} | stats count by host", ["host", "count"], ["tcp.bytes", "k8s.pod.name"]),
        (f"{MSTATS} | table host", ["host"], ["count", "tcp.bytes"]),
        (f"{MSTATS} | rename tcp.* as net.*", ["net.bytes"], ["tcp.bytes"]),
        (f"{MSTATS} | foreach tcp.* [ eval hit_<<MATCHSTR>> = 1 ]", ["hit_bytes"], ["miss_bytes"]),
        ("| mpreview index=*", ["whatever"], []),
        ("| mpreview index=* | fields pod", ["pod"], ["namespace"]),
        (f"{MSTATS} | evil | table host", ["host"], ["pod"]),
        (f"{MSTATS} | evil", ["whatever"], []),
        (f"{MSTATS} | chart count over host by k8s.pod.name", ["host", "some-pod"], []),
    ],
)
def test_fields_of_the_result(text: str, there: list[str], not_there: list[str]) -> None:
    checked = check(text)
    assert all(checked.produces(name) for name in there), checked.fields
    assert not any(checked.produces(name) for name in not_there), checked.fields


def test_lookups_are_those_that_are_known() -> None:
    text = f"{MSTATS} | lookup mine host | stats count by usual"
    assert ": unknown lookup 'mine' (define it in a content folder's lookups/" in told(text)[0]
    assert told(text, lookups={"mine": ["host", "usual"]}) == []
    assert told(text, everything=True) == []
    assert "(did you mean mine?)" in told(text.replace("mine", "mime"), lookups={"mine": []})[0]


def test_fields_of_a_lookup_come_with_it() -> None:
    lookups = {"mine": ["host", f"avg_{ANY}"]}
    checked = check(f"{MSTATS} | lookup mine host | stats max(avg_x) as avg_x by host", lookups=lookups)
    assert checked.problems == []
    checked = check(f"{MSTATS} | lookup mine host OUTPUT avg_x AS usual | table usual", lookups=lookups)
    assert checked.produces("usual")


def test_what_is_read_and_written() -> None:
    text = f"{MSTATS} | lookup a host | outputlookup b | append [ inputlookup c ] | collect index=mine"
    checked = check(text, everything=True)
    assert checked.problems == []
    assert list(checked.read) == ["a", "c"]
    assert checked.read["a"].column == text.index("lookup a") + 1
    assert set(checked.written) == {"b"}
    assert {"host", "k8s.pod.name"} <= set(checked.written["b"])
    assert checked.collected == {"mine"}


@pytest.mark.parametrize("text", ["", "   ", "```only a comment```"])
def test_an_empty_search(text: str) -> None:
    (found,) = told(text)
    assert "the search is empty" in found


@pytest.mark.parametrize(
    "text",
    [
        "| makeresults | eval a = " + "(" * 5000,
        "| makeresults | where " + "NOT " * 20_000,
        "| append [" * 3000,
    ],
)
def test_a_search_that_nests_too_deeply(text: str) -> None:
    assert told(text)


@pytest.mark.parametrize("text", ["| mstats avg(", "| makeresults | eval a = nope(1)", "| head x"])
def test_the_first_problem_is_the_one_that_running_gives(embedded: Store, text: str) -> None:
    first = check(text).problems[0]
    with pytest.raises(SearchError) as raised:
        compile_search(Request(text, NOW, Span(), macros=MACROS), embedded.query)
    assert (first.message, first.position) == (raised.value.message, raised.value.position)
