"""docs/compatibility.md: command by command and function by function what is supported, and what differs.

Made from the registries. In the docstring of a command, a sentence that names Splunk says where the two
differ; the meanings on which sources disagree are the switches.
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

- **Nothing is cut off.** Subsearches, `append` and `join` take all rows, `sort` orders all rows, `list()`
  keeps all values. `--set subsearch_limits=on` cuts off where Splunk does, and then the result says so.
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

Supported: {functions}.

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


def compatibility() -> str:
    """Return the page."""
    rows = [f"| `{name}` | {_differs(module)} |" for name, module in commands.MODULES.items()]
    missing = sorted(commands.KNOWN_ELSEWHERE - commands.MODULES.keys())
    unsupported = [f"- `{name}()`: {why}" for name, why in sorted(KNOWN_ELSEWHERE.items())]
    return _ABOUT.format(
        switches="\n".join(_switch(name, values) for name, values in SWITCH_VALUES.items()),
        commands="\n".join(["| command | what differs from Splunk |", "|---|---|", *rows]),
        missing_commands=_listed(missing),
        functions=_listed(FUNCTIONS),
        missing_functions="\n".join(["Known in SPL and not supported here:", "", *unsupported]),
        statistics=_listed(STATISTICS),
        measures=_listed(MEASURES),
    )


def _switch(name: str, values: tuple[str, ...]) -> str:
    return f"- `{name}={'|'.join(values)}`: {_SWITCHES[name]}"


def _differs(module: str) -> str:
    """Return the sentences of a command's manual that name Splunk."""
    text, _, _ = (inspect.getdoc(importlib.import_module(f"{commands.__name__}.{module}")) or "").partition(
        "Example::"
    )
    sentences = re.split(r"(?<=[.:;])\s+", " ".join(text.replace("``", "`").split()))
    return " ".join(s for s in sentences if "Splunk" in s).replace("|", "\\|")


def _listed(names: object) -> str:
    assert isinstance(names, dict | list)
    return ", ".join(f"`{name}`" for name in names)
