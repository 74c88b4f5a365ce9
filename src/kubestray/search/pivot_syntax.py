"""Reads what ``chart`` and ``timechart`` share: options, aggregates, the field of columns, which columns."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection
from dataclasses import dataclass

from kubestray.search.aggregates import Style, aggregates, one_aggregate
from kubestray.search.binning import BIN_OPTIONS
from kubestray.search.cursor import Cursor
from kubestray.search.options import flag, read_options
from kubestray.search.statistics import find
from kubestray.search.syntax import Aggregate

_OPTIONS = ("limit", "sep", "format", "nullstr", "otherstr")
_FLAGS = ("cont", "partial", "fixedrange", "usenull", "useother", "dedup_splitvals", "dedup_splitval")
_LIMIT = r"(top|bottom)?\s*(\d+)"


@dataclass(frozen=True, slots=True)
class Choice:
    """Which values get a column of their own: the ``count`` best, or those beyond a threshold.

    ``score`` is the aggregate that decides; without one it is the sum of a column, or how many rows have
    the value if there are several aggregates. A count of 0 is all.
    """

    score: Aggregate | None = None
    best: bool = True
    count: int = 10
    negated: bool = False
    above: float | None = None
    below: float | None = None


@dataclass(frozen=True, slots=True)
class Axis:
    """A field whose values become rows or columns, and the options of its bins."""

    field: str
    bins: dict[str, str] = dataclasses.field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Pivot:
    """How values become columns."""

    aggregates: tuple[Aggregate, ...]
    options: dict[str, str]
    choice: Choice
    columns: Axis | None

    def flag(self, name: str, default: bool) -> bool:
        """Return a true/false option."""
        return flag(self.options, name, default)

    @property
    def distinct(self) -> bool:
        """Whether a value that a multivalue field repeats counts once."""
        return self.flag("dedup_splitvals", False) or self.flag("dedup_splitval", False)

    def named(self, aggregate: str, value: str, *, several: bool, taken: Collection[str]) -> str:
        """Return the name of the column of an aggregate for a value.

        As documented, VALUE stands before names that would be those of internal fields; so it does before
        the name that the rows have.
        """
        shown = f"VALUE{value}" if value.startswith("_") else value
        if not several:
            return f"VALUE{shown}" if shown in taken else shown
        form = self.options.get("format", f"$AGG${self.options.get('sep', ': ')}$VAL$")
        return form.replace("$AGG$", aggregate).replace("$VAL$", shown)


class Reader:
    """Reads the parts of a command in whatever order its options stand."""

    def __init__(self, cursor: Cursor) -> None:
        self.cursor = cursor
        self.options: dict[str, str] = {}
        self.aggregates: tuple[Aggregate, ...] = ()
        self._choice: Choice | None = None
        self._score: Aggregate | None = None

    def read_options(self, bins: dict[str, str]) -> bool:
        """Read the options that stand here; those of bins go to ``bins``. Tell whether there were any."""
        found_any = False
        while True:
            if self.cursor.match(r"agg\s*=\s*"):
                self._score = self._scoring()
            elif not (
                read_options(self.cursor, _OPTIONS, self.options, _FLAGS)
                or read_options(self.cursor, BIN_OPTIONS, bins)
            ):
                return found_any
            found_any = True

    def read_aggregates(self) -> None:
        """Read the aggregates."""
        self.aggregates = aggregates(self.cursor, Style(formulas=True))

    def axis(self, purpose: str) -> Axis:
        """Read a field and the options of its bins."""
        made = Axis(self.cursor.field(purpose))
        self.read_options(made.bins)
        return made

    def read_choice(self, columns: Axis | None) -> None:
        """Read the clause that chooses columns, if it stands here."""
        at = self.cursor.skip()
        if not self.cursor.keyword("where"):
            return
        if columns is None:
            raise self.cursor.error("where chooses columns, and there is no field of columns", at)
        score = self._scoring()
        if word := self.cursor.keyword("in", "notin"):
            found = self.cursor.match(_LIMIT)
            if not found or not found[1]:
                raise self.cursor.error(f"expected top5 or bottom5, found {self.cursor.found()}")
            best = found[1].lower() == "top"
            self._choice = Choice(score, best, int(found[2]), word == "notin")
            return
        found = self.cursor.match(r"([<>])\s*\"?\s*(-?\d+(?:\.\d+)?)\s*\"?")
        if not found:
            raise self.cursor.error(f"expected in, notin, < or >, found {self.cursor.found()}")
        limit = float(found[2])
        above = found[1] == ">"
        self._choice = Choice(score, count=0, above=limit if above else None, below=None if above else limit)

    def _scoring(self) -> Aggregate:
        """Read an aggregate; a function alone is taken over the values of a column."""
        at = self.cursor.skip()
        found = self.cursor.match(r"([A-Za-z_]\w*(?:\.\d+)?)(?![\w.]|\s*\()")
        if found and find(found[1].lower()):
            return Aggregate(at, found[1].lower(), None, found[1])
        self.cursor.at = at
        return one_aggregate(self.cursor)

    def pivot(self, columns: Axis | None) -> Pivot:
        """Return what was read."""
        choice = self._choice or read_limit(self.cursor, self.options.get("limit"), self._score)
        return Pivot(self.aggregates, self.options, choice, columns)


def read_limit(cursor: Cursor, written: str | None, score: Aggregate | None) -> Choice:
    """Return which columns ``limit=N``, ``topN`` or ``bottomN`` chooses, by a score."""
    if written is None:
        return Choice(score)
    word = written.lower()
    digits = word.removeprefix("top").removeprefix("bottom")
    if not digits.isdecimal():
        raise cursor.error(f"limit={written} is no number", hint="write limit=5, top5 or bottom5")
    return Choice(score, not word.startswith("bottom"), int(digits))
