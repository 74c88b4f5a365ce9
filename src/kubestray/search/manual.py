"""docs/spl.md, made from the commands' docstrings and the tables of functions."""

from __future__ import annotations

import importlib
import inspect

from kubestray.search import commands
from kubestray.search.functions import FUNCTIONS
from kubestray.search.measures import MEASURES
from kubestray.search.relation import SWITCH_VALUES
from kubestray.search.statistics import STATISTICS


def manual() -> str:
    """Return the page."""
    parts = [
        "# The search language",
        "Made from the docstrings in `src/kubestray/search/commands` and the tables of functions beside",
        "them. A search is commands between pipes. A command or function that is not listed here is an",
        "error, never passed over. Field names with dots stand in single quotes inside expressions (`eval`,",
        "`where`), and bare everywhere else; texts stand in double quotes.",
        "",
        "## Commands",
    ]
    for name in commands.MODULES:
        module = importlib.import_module(f"{commands.__name__}.{commands.MODULES[name]}")
        parts += ["", f"### {name}", "", _as_markdown(inspect.getdoc(module) or "")]
    parts += ["", "## Functions of expressions", "", *(f"- {_code(f.manual)}" for f in FUNCTIONS.values())]
    parts += ["", "## Aggregates of stats", "", *(f"- {_code(s.manual)}" for s in STATISTICS.values())]
    parts += ["", "## Aggregates of mstats", "", ", ".join(f"`{name}`" for name in MEASURES)]
    parts += ["", "## Switches (`--set NAME=VALUE`)", ""]
    parts += [
        f"- `{name}`: {', '.join(f'`{value}`' for value in values)} (the first is the default)"
        for name, values in SWITCH_VALUES.items()
    ]
    return "\n".join(parts) + "\n"


def _as_markdown(docstring: str) -> str:
    """Turn the docstring's double backticks and indented example into Markdown."""
    text, _, example = docstring.replace("``", "`").partition("Example::")
    if not example:
        return text.strip()
    code = "\n".join(line.removeprefix("    ") for line in example.strip("\n").splitlines())
    return f"{text.strip()}\n\n```\n{code.rstrip()}\n```"


def _code(line: str) -> str:
    call, _, meaning = line.partition(": ")
    return f"`{call}`: {meaning}"
