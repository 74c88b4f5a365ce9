"""What may come next in a search that is being typed."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Iterable, Iterator

from pydantic import BaseModel

from kubestray.api.remembering import remembered
from kubestray.pipeline.running import Running
from kubestray.search import commands
from kubestray.search.functions import FUNCTIONS
from kubestray.search.measures import MEASURES
from kubestray.search.statistics import STATISTICS
from kubestray.store.trees import call, column, named, select

_MOST = 12
_KEEP = 60.0  # seconds
_MOST_NAMES = 20_000
_WORD = re.compile(r"[\w.:\-*]*\Z")
_COMMAND = re.compile(r"(?:^|[|\[])\s*(\w*)\Z")
_SEGMENT = re.compile(r"[|\[]\s*(\w+)[^|\[]*\Z")
_ARGUMENT = re.compile(r"\(\s*[\w.:\-*]*\Z")


class Completion(BaseModel):
    """A word that fits; it replaces the text from ``start`` to ``end``."""

    word: str
    kind: str
    detail: str
    start: int
    end: int


def complete(running: Running, text: str, caret: int) -> list[Completion]:
    """Return what fits at the caret, the likeliest first; at most a dozen."""
    before = text[:caret]
    word = _WORD.search(before)
    typed = word[0] if word else ""
    start = caret - len(typed)
    end = caret + len(re.match(r"[\w.:\-*]*", text[caret:])[0])  # type: ignore[index]
    found = (
        (rank, position, one)
        for position, one in enumerate(_candidates(running, before, typed))
        if (rank := _rank(typed, one[0])) is not None
    )
    best = sorted(found, key=lambda item: (item[0], item[1]))[:_MOST]
    return [Completion(word=w, kind=k, detail=d, start=start, end=end) for _, _, (w, k, d) in best]


def _rank(typed: str, word: str) -> int | None:
    """Return how well a word fits: 0 it begins so, 1 a part of it does, 2 it holds it; None not at all."""
    low, name = typed.lower(), word.lower()
    if name == low:
        return None
    if name.startswith(low):
        return 0
    if f".{low}" in name:
        return 1
    return 2 if len(low) > 1 and low in name else None


Candidate = tuple[str, str, str]


def _candidates(running: Running, before: str, typed: str) -> Iterator[Candidate]:
    at_command = _COMMAND.search(before)
    if at_command and (at_command[0].strip() or before.strip() == typed):
        yield from _commands()
        return
    if before[: len(before) - len(typed)].endswith("`"):
        yield from ((name, "macro", "") for name in sorted({name for name, _ in running.content.macros}))
        return
    segment = _SEGMENT.search(before)
    command = segment[1].lower() if segment else ""
    metrics, attributes = _names(running)
    if command in ("mstats", "mpreview", "mcatalog"):
        if _ARGUMENT.search(before):
            yield from _of(metrics, "metric")
            return
        if re.search(r"\bby\b[^()]*\Z", before, re.IGNORECASE):
            yield from _of(attributes, "attribute")
            return
        yield from ((f"{name}(", "aggregate", "") for name in MEASURES)
        yield from _of(("WHERE", "BY", "span=", "index=", "earliest=", "latest="), "keyword")
    elif not typed:
        return
    yield from _of(attributes, "attribute")
    yield from _of(metrics, "metric")
    if command in ("eval", "where"):
        yield from ((f"{name}(", "function", f.manual) for name, f in FUNCTIONS.items())
    elif command != "mstats":
        yield from ((f"{name}(", "aggregate", f.manual) for name, f in STATISTICS.items())


def _of(words: Iterable[str], kind: str) -> Iterator[Candidate]:
    return ((word, kind, "") for word in words)


def _commands() -> Iterator[Candidate]:
    for name, module in commands.MODULES.items():
        page = inspect.getdoc(importlib.import_module(f"{commands.__name__}.{module}")) or ""
        yield name, "command", page.split("\n\n")[0].replace("``", "").replace("\n", " ")[:160]


def _names(running: Running) -> tuple[list[str], list[str]]:
    """Return the metrics and the attributes that there are."""

    def ask() -> tuple[list[str], list[str]]:
        metrics = select(column("metric")).distinct().from_("series").order_by(column("metric"))
        keys = named(call("arrayJoin", call("mapKeys", column("attributes"))), "name")
        attributes = select(keys).distinct().from_("series").order_by(column("name"))
        query = running.store.query
        return (
            query(metrics.limit(_MOST_NAMES), running.limits).column("metric").to_pylist(),
            query(attributes.limit(_MOST_NAMES), running.limits).column("name").to_pylist(),
        )

    return remembered(running, "names", _KEEP, ask)
