"""What is likely meant where a search cannot be read: hints for the errors of the parser.

An error says where it is, what was expected and what was found. Mistakes that people make again and again
can be told from what stands there; each of the rules below knows one kind. A rule that does not know says
nothing: a wrong hint is worse than none.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kubestray.model.errors import SearchError
from kubestray.search import commands
from kubestray.search.cursor import Cursor
from kubestray.search.nearest import nearest
from kubestray.search.statistics import STATISTICS
from kubestray.search.statistics import find as find_statistic

INSTEAD = {
    # A command that we lack: how to come by the same with what there is.
    "accum": "write streamstats sum(FIELD) AS NAME",
    "addcoltotals": "write appendpipe [ stats sum(FIELD) AS FIELD ]",
    "addtotals": "write eval total = a + b",
    "anomalydetection": "compare with eventstats avg(x) AS usual stdev(x) AS spread",
    "appendcols": "write join FIELD [ … ], which also says which rows belong together",
    "autoregress": "write streamstats current=false window=1 last(FIELD) AS before",
    "convert": "write eval x = tonumber(x), or strftime(x, …) for times",
    "delta": "write streamstats current=false last(x) AS before, then eval delta = x - before",
    "extract": 'write rex field=FIELD "(?<name>…)"',
    "fieldformat": "write eval, which changes the value itself",
    "from": "write inputlookup NAME for a lookup, mstats for metrics",
    "fieldsummary": "write stats count(*) dc(*)",
    "iplocation": "write lookup NAME FIELD with a lookup of addresses",
    "kv": 'write rex field=FIELD "(?<name>…)"',
    "makecontinuous": "write timechart span=TIME, which makes a row of every span",
    "mcatalog": "write mpreview index=* | stats values(metric_name)",
    "predict": "compare with eventstats avg(x) AS usual stdev(x) AS spread",
    "rangemap": 'write eval range = case(x < 10, "low", x < 100, "high")',
    "regex": 'write where match(FIELD, "REGEX")',
    "replace": 'write eval x = replace(x, "REGEX", "TEXT")',
    "set": "write join FIELD [ … ] to keep what both have, append [ … ] to keep all",
    "spath": 'write eval x = json_extract(FIELD, "path")',
    "strcat": 'write eval x = a . "-" . b',
    "tojson": "write --format json",
    "transaction": "write stats min(_time) max(_time) BY the fields that tie rows together",
    "transpose": "write chart … OVER ROW BY COLUMN",
    "trendline": "write streamstats window=5 avg(x)",
    "tstats": "write mstats: there are metrics here, no data models",
    "untable": "write mvexpand after eval",
    "xyseries": "write chart last(VALUE) OVER ROW BY COLUMN",
}

_OPERATORS = {
    "&&": "write AND",
    "<>": "write != for not equal",
    "=>": "write >= for greater or equal",
    "=<": "write <= for less or equal",
    "===": "write = or ==",
    "||": "write OR",
}
_WORD = re.compile(r"[A-Za-z_][\w.]*")
_OPTION = re.compile(r"([A-Za-z_]\w*)\s*=(?!=)")
_SET = re.compile(r"=(?!=)")
_LAST_WORD = re.compile(r"([A-Za-z_]\w*)\s*$")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"|\'(?:[^\'\\]|\\.)*\'', re.DOTALL)
_EXPRESSIONS = ("eval", "where")


@dataclass(frozen=True, slots=True)
class _Failure:
    """Where an error was met: the text, the offset, and the command around it with its offset."""

    message: str
    text: str
    at: int
    command: str
    start: int

    @property
    def rest(self) -> str:
        """The text from the place of the error on."""
        return self.text[self.at : self.at + 200]

    @property
    def word(self) -> str:
        """The word at the place of the error."""
        found = _WORD.match(self.text, self.at)
        return found[0] if found else ""

    @property
    def is_leftover(self) -> bool:
        """Whether a command had ended before."""
        return self.message.startswith("expected the next command")


def advised(error: SearchError, cursor: Cursor, command: str, start: int) -> SearchError:
    """Return the error with a hint, if it has none and a rule knows what is likely meant."""
    at, cursor.failed = cursor.failed, -1
    if at < 0 or not error.message.startswith("expected") or at >= len(cursor.source.text):
        return error
    failure = _Failure(error.message, cursor.source.text, at, command, start)
    rules = _CERTAIN if error.hint else (*_CERTAIN, *_LIKELY)
    hint = next((hint for rule in rules if (hint := rule(failure))), "")
    return SearchError(error.message, error.position, hint) if hint else error


def usage(command: str) -> str:
    """Return how a command is written, as the first line of its manual has it."""
    module = commands.find(command)
    found = re.match(r"``([^`]+)``", module.__doc__ or "") if module else None
    return found[1] if found else ""


def _quotes(failure: _Failure) -> str:
    return "write straight quotes: \" for texts, ' for fields" if failure.rest[0] in "“”„‘’‚«»" else ""


def _operators(failure: _Failure) -> str:
    near = failure.text[max(0, failure.at - 2) : failure.at + 2]
    return next((hint for operator, hint in _OPERATORS.items() if operator in near), "")


def _is_null(failure: _Failure) -> str:
    if re.match(r"is\s+not\s+null\b", failure.rest, re.IGNORECASE):
        return "write isnotnull(FIELD)"
    return "write isnull(FIELD)" if re.match(r"is\s+null\b", failure.rest, re.IGNORECASE) else ""


def _between(failure: _Failure) -> str:
    return "write x >= LOW AND x <= HIGH" if failure.word.lower() == "between" else ""


def _thousands(failure: _Failure) -> str:
    before = failure.text[max(0, failure.at - 1) : failure.at]
    grouped = before.isdigit() and re.match(r",\d{3}\b", failure.rest)
    return "write the number without a comma" if grouped and failure.command == "where" else ""


def _by_first(failure: _Failure) -> str:
    wanted = failure.message.startswith("expected an aggregate") and failure.word.lower() == "by"
    names = (found[0] for found in _WORD.finditer(failure.rest.split("|")[0], 2))
    if wanted and any(find_statistic(name.lower()) for name in names):
        return f"BY comes after the aggregates: {failure.command} count BY FIELD"
    return ""


def _call_missing(failure: _Failure) -> str:
    """Tell a statistic without parentheses: ``stats avg bytes``."""
    word = failure.word
    if not failure.message.startswith("expected an aggregate") and not failure.is_leftover:
        return ""
    if failure.command in _EXPRESSIONS or not word or not find_statistic(word.lower()):
        return ""
    after = _WORD.match(failure.text, failure.at + len(word) + 1)
    field = after[0] if after and after[0].lower() not in ("by", "as", "where") else "FIELD"
    return f"write {word}({field})"


def _statistic_misspelt(failure: _Failure) -> str:
    """Tell a statistic that is spelt wrongly: ``stats cuont``."""
    word = failure.word.lower()
    wanted = failure.message.startswith("expected an aggregate") and word and word not in commands.MODULES
    return nearest(word, STATISTICS) if wanted else ""


def _call_open(failure: _Failure) -> str:
    """Tell the field after a statistic without parentheses: ``stats avg bytes``."""
    before = re.search(r"([A-Za-z_]\w*)\s+$", failure.text[: failure.at])
    words = failure.word and failure.word not in commands.MODULES
    wanted = failure.is_leftover and failure.command not in _EXPRESSIONS and words
    return (
        f"write {before[1]}({failure.word})"
        if wanted and before and find_statistic(before[1].lower())
        else ""
    )


def _misspelt(failure: _Failure) -> str:
    """Tell a keyword of the command that is spelt wrongly: ``mstats avg(x) wher index=*``."""
    keywords = re.findall(r"\b(WHERE|BY|AS|OVER|OUTPUT|OUTPUTNEW)\b", usage(failure.command))
    return nearest(failure.word.upper(), keywords) if failure.is_leftover and failure.word else ""


def _then(failure: _Failure) -> str:
    return "write if(CONDITION, VALUE, OTHERWISE)" if failure.word.lower() in ("then", "else") else ""


def _no_list(failure: _Failure) -> str:
    return 'write IN ("a", "b")' if failure.message.startswith("expected '(' after IN") else ""


def _conjunction(failure: _Failure) -> str:
    """Tell two conditions side by side: ``where a = 1 b = 2``."""
    compares = re.match(r"[\w.]+\s*(?:=|<|>|!=)", failure.rest)
    return "is AND or OR missing before it?" if failure.command == "where" and compares else ""


def _digit_first(failure: _Failure) -> str:
    found = re.match(r"\d+[A-Za-z_]\w*", failure.rest)
    wanted = found and failure.command in _EXPRESSIONS
    return f"write '{found[0]}' in single quotes if it is a field" if wanted and found else ""


def _pipe_missing(failure: _Failure) -> str:
    """Tell the name of a command inside another one: ``by host where n > 5``."""
    if not failure.is_leftover:
        return ""
    read = failure.text[failure.start : failure.at + len(failure.word)]
    read = _QUOTED.sub(lambda found: "x" * len(found[0]), read)
    inside = [word for word in re.findall(r"(?<=\s)[a-z]+(?=\s|$)", read) if word in commands.MODULES]
    known = usage(failure.command).lower().split()
    words = [word for word in inside if word != failure.command and word not in known]
    return f"is a pipe missing before {words[-1]}?" if words else ""


def _bracket(failure: _Failure) -> str:
    if failure.rest[0] in ")]" and failure.is_leftover:
        opening = "(" if failure.rest[0] == ")" else "["
        return f"take out the {failure.rest[0]}, or add the {opening} that it closes"
    if failure.message.startswith(("expected '['", "expected a field name or pattern to repeat for")):
        return f"put the commands in brackets: {failure.command} … [ … ]"
    return "add the closing )" if failure.message.startswith("expected ')'") else ""


def _no_target(failure: _Failure) -> str:
    """Tell a call where eval wants a name: ``eval if(a > 1, 2, 3)``."""
    if failure.message.startswith("expected '=' after the field"):
        return "write eval NAME = EXPRESSION"
    return ""


def _two_values(failure: _Failure) -> str:
    """Tell two values side by side in an expression."""
    if failure.command not in _EXPRESSIONS or not failure.is_leftover or failure.rest[0] not in "\"'":
        return ""
    return "an operator is missing before it; a dot joins texts"


def _option(failure: _Failure) -> str:
    """Tell an option that the command does not have, also one whose name was taken for a field."""
    if failure.command in (*_EXPRESSIONS, "search", ""):
        return ""
    here = _OPTION.match(failure.text, failure.at)
    found = here or (_SET.match(failure.rest) and _LAST_WORD.search(failure.text[failure.start : failure.at]))
    if not found:
        return ""
    meant = nearest(found[1].lower(), _options(failure.command))
    if not meant and not here and not failure.is_leftover:
        return ""
    return f"{failure.command} has no option {found[1]}; {meant or f'it is written {usage(failure.command)}'}"


def _options(command: str) -> list[str]:
    """Return the options of a command that its manual tells of."""
    module = commands.find(command)
    manual = (module.__doc__ or "") if module else ""
    return sorted(set(re.findall(r"\b([a-z_]+)=", manual.split("Example::")[0])))


def _usage(failure: _Failure) -> str:
    if not failure.is_leftover or failure.command in (*_EXPRESSIONS, "search", ""):
        return ""
    return f"it is written {usage(failure.command)}"


_CERTAIN: tuple[Callable[[_Failure], str], ...] = (_quotes, _operators, _digit_first)
"""Rules that know better than a general hint."""

_LIKELY: tuple[Callable[[_Failure], str], ...] = (
    _is_null,
    _between,
    _then,
    _no_list,
    _thousands,
    _by_first,
    _call_missing,
    _option,
    _call_open,
    _statistic_misspelt,
    _bracket,
    _conjunction,
    _pipe_missing,
    _misspelt,
    _no_target,
    _two_values,
    _usage,
)
