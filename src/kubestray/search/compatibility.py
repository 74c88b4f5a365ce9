"""docs/compatibility.md: command by command and function by function what is supported, and what differs.

Made from the registries. In the docstring of a command, a sentence that names Splunk, or says what is not
supported, tells where the two differ; of functions, `_DIFFERENT` does. Switches are what sources disagree on.
"""

from __future__ import annotations

import importlib
import inspect
import re

from kubestray.search import commands
from kubestray.search.functions import FUNCTIONS, KNOWN_ELSEWHERE
from kubestray.search.measures import MEASURES
from kubestray.search.relation import SWITCH_VALUES
from kubestray.search.statistics import STATISTICS

_ABOUT = """\
# Compatibility with SPL

The reference is Splunk's public documentation. What is not listed as supported is an error that says so with
its place; nothing is passed over in silence. [spl.md](spl.md) is the manual of what is there.

## What differs everywhere, and why

- **Nothing is cut off.** Subsearches, `append` and `join` take all rows, and `sort` orders all rows.
  `--set subsearch_limits=on` cuts off where Splunk does, and then the result says so.
- **Metrics first.** The store holds metric points. `index=NAME` reads events that were given with the search
  (`--index`), that `collect` has kept, or the risk events of detections (`index=risk`).
- **Counters count with their increases** in `mstats`: a cumulative sum of OpenTelemetry is turned into what
  was added, with restarts. `mpreview` shows values as received.
- **Regular expressions are RE2**: no look-around, no back-references inside; in exchange no text
  that an attacker writes can make one run for minutes. An expression that needs more is an error.
- **Numbers are doubles.** Whole numbers are exact up to 2^53.
- **Time zone**: UTC unless a setting names another; Splunk takes the user's.
- **A result's JSON** leaves null fields out; a multivalue field of one value is that value.

## Where sources disagree about SPL

Each is a switch (`--set NAME=VALUE`); the first value is the default.

{switches}

## Commands

{commands}

Known in SPL and not supported here: {missing_commands}.

## Functions of expressions

Supported, and as Splunk documents them unless the table below says otherwise: {functions}.

{different_functions}

{missing_functions}

## Aggregates

Of `stats`, `eventstats`, `streamstats`, `chart`, `timechart`: {statistics}.

Of `mstats`: {measures}.
"""

_SWITCHES = {
    "mv_not_equal": "`search x!=a` on several values: none may equal (`none`), or one must differ (`any`)",
    "tostring_null": "`tostring(null())` is the text `Null`, or null",
    "duplicate_alias": "the same aggregate under two names in `mstats` gives both, or the first alone",
    "stdev_single": "`stdev` and `var` of a single value are 0, or null",
    "kv_fields_list": "`outputlookup` keeps every field, or (`on`) those that the lookup's definition lists",
    "subsearch_limits": "all rows are taken, or (`on`) 50,000 of a subsearch, 10,000 in a clause or a sort",
    "lookup_no_match": "a row without a match keeps its fields, or loses those after OUTPUT (`clear`)",
}


_COMMANDS = {
    "bin": "Weeks start on Thursday, as the epoch does, unless the span says `@w1`; Splunk does not tell.",
    "bucket": "As for `bin`.",
    "collect": "The same rows of the same moment are added once; in Splunk a repeated run adds them again.",
    "foreach": "Commands are read once, names filled in as syntax: a name cannot change what they do.",
    "join": "All rows of the subsearch are joined, unless `subsearch_limits=on`.",
    "lookup": "Values match as they are: match types for wildcards, networks and times are not supported.",
    "mpreview": "All points are shown, unless `target_per_timeseries` is given; in Splunk 5 of each series.",
    "outputlookup": "`append=true` keeps columns that are new; Splunk drops them for CSV files.",
    "regex": "The expression is RE2.",
    "return": "Quotes in a value are escaped, so that it stays one value; Splunk writes them as they are.",
    "rex": "The expression is RE2.",
    "transaction": "At most 200,000 rows are read; `name=` is not supported.",
    "xmlkv": "Of repeated tags the last one counts.",
}
"""How commands differ besides what their manuals say."""

_INFINITE = "infinities and results that are no numbers are null"
_RE2 = "the expression is RE2; one that needs look-around or back-references is an error"
_ZONE = "the time zone is that of the setting `timezone`"
_STORED = (
    "a condition is no value of a field: `eval x = isnum(y)` is an error that says to write `if(…, 1, 0)`"
)

_DIFFERENT = {
    ("acos", "acosh", "asin", "atanh", "exp", "ln", "log", "pow", "sqrt"): _INFINITE,
    ("cidrmatch",): "a network that is written wrongly in the search is an error, not false",
    ("exact",): "all arithmetic is in doubles: it only keeps products of decimal literals from being rounded",
    ("isbool", "isint", "isnum", "like", "searchmatch", "tobool"): _STORED,
    ("json_array_to_mv", "json_extract", "json_set", "spath"): "a path is a text in the search, not a field",
    ("match", "mvfind", "replace"): _RE2,
    ("now", "relative_time", "strftime", "strptime"): _ZONE,
    ("round",): "a number has no format: `round(2, 2)` is 2 and not 2.00",
    ("tostring",): "null is `Null`, or null with the switch `tostring_null`",
}
"""Functions that differ from what Splunk documents, and how."""


def compatibility() -> str:
    """Return the page."""
    rows = [f"| `{name}` | {_differs(name, module)} |" for name, module in commands.MODULES.items()]
    missing = sorted(commands.KNOWN_ELSEWHERE - commands.MODULES.keys())
    unsupported = [f"- `{name}()`: {why}" for name, why in sorted(KNOWN_ELSEWHERE.items())]
    return _ABOUT.format(
        switches="\n".join(_switch(name, values) for name, values in SWITCH_VALUES.items()),
        commands="\n".join(["| command | what differs from Splunk |", "|---|---|", *rows]),
        missing_commands=_listed(missing),
        functions=_listed(FUNCTIONS),
        different_functions="\n".join(
            ["| function | what differs from Splunk |", "|---|---|", *_different()]
        ),
        missing_functions="\n".join(["Known in SPL and not supported here:", "", *unsupported]),
        statistics=_listed(STATISTICS),
        measures=_listed(MEASURES),
    )


def _switch(name: str, values: tuple[str, ...]) -> str:
    return f"- `{name}={'|'.join(values)}`: {_SWITCHES[name]}"


def _differs(name: str, module: str) -> str:
    """Return the sentences of a command's manual that name Splunk, and what else is known."""
    text, _, _ = (inspect.getdoc(importlib.import_module(f"{commands.__name__}.{module}")) or "").partition(
        "Example::"
    )
    sentences = re.split(r"(?<=\.)\s+(?=[A-Z`])", " ".join(text.replace("``", "`").split()))
    told = " ".join(s for s in sentences if "Splunk" in s or "not supported" in s).replace("|", "\\|")
    return f"{told} {_COMMANDS.get(name, '')}".strip() or "nothing that we know of"


def _different() -> list[str]:
    names = [name for group in _DIFFERENT for name in group]
    assert set(names) <= FUNCTIONS.keys(), set(names) - FUNCTIONS.keys()
    return [f"| {_listed(list(group))} | {how} |" for group, how in _DIFFERENT.items()]


def _listed(names: object) -> str:
    assert isinstance(names, dict | list)
    return ", ".join(f"`{name}`" for name in names)
