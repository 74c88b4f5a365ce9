"""Times in the clause of ``search``: ``earliest``, ``latest`` and their older forms.

``starttime`` and ``endtime`` take a time in the form that ``timeformat`` says, ``starttimeu`` and
``endtimeu`` seconds since the epoch; ``daysago=2`` is the last two days, ``startdaysago=2 enddaysago=1``
what lies between, and so for minutes, hours and months. ``_index_earliest`` and ``_index_latest`` are about
``_indextime``.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime

from kubestray.search.relation import Context
from kubestray.search.syntax import Clause, Junction, Negation, Term
from kubestray.search.times import BadTime, parse_time
from kubestray.store.points import Span

_AGO = re.compile(r"(start|end|)(minutes|hours|days|months)ago")
_LENGTH = re.compile(r"searchtimespan(minutes|hours|days|months)")
_UNITS = {"minutes": "min", "hours": "h", "days": "d", "months": "mon"}
_BOUNDS = {
    "earliest": ("_time", ">="), "starttime": ("_time", ">="), "starttimeu": ("_time", ">="),
    "latest": ("_time", "<"), "endtime": ("_time", "<"), "endtimeu": ("_time", "<"),
    "_index_earliest": ("_indextime", ">="), "_index_latest": ("_indextime", "<"),
}  # fmt: skip
"""What each name bounds: a field, and from which side."""
_FORMAT = "timeformat"


def is_modifier(part: Clause) -> bool:
    """Whether a part of a clause is about the time range and not about a field."""
    return isinstance(part, Term) and (_bound(part.field) is not None or part.field.lower() == _FORMAT)


def _bound(name: str) -> tuple[str, str] | None:
    name = name.lower()
    if found := _AGO.fullmatch(name):
        return ("_time", "<" if found[1] == "end" else ">=")
    return ("_time", ">=") if _LENGTH.fullmatch(name) else _BOUNDS.get(name)


class Times:
    """Reads the times of one clause."""

    def __init__(self, parts: Sequence[Clause], context: Context) -> None:
        self._context = context
        self._format = ""
        for part in parts:
            if isinstance(part, Term) and part.field.lower() == _FORMAT:
                self._format = _text(part)

    def span(self, terms: Sequence[Clause]) -> Span:
        """Return the range: a time in the text replaces the search's own, and no end then is now."""
        found: dict[str, int] = {}
        for term in terms:
            assert isinstance(term, Term)
            bound = _bound(term.field)
            if bound and bound[0] == "_time":
                found[bound[1]] = self.moment(term)
        context = self._context
        if not found:
            return context.span
        return Span(found.get(">=", context.span.earliest), found.get("<", context.now))

    def moment(self, term: Term) -> int:
        """Return the time (ns) that a modifier says."""
        name, value = term.field.lower(), _text(term)
        if term.operator != "=":
            hint = f"write {term.field}={value}"
            raise self._context.error(term.at, f"{term.field} takes a single time", hint)
        if _LENGTH.fullmatch(name):
            message = f"{term.field} is known in SPL but not supported here"
            raise self._context.error(term.at, message, "write earliest=… latest=…")
        try:
            return self._read(name, value)
        except BadTime as error:
            raise self._context.error(term.at, f"{term.field}: {error}") from error

    def _read(self, name: str, value: str) -> int:
        now, zone = self._context.now, self._context.timezone
        if found := _AGO.fullmatch(name):
            if not value.isdigit():
                raise BadTime(value, f"{name} takes a number of {found[2]}")
            return parse_time(f"-{value}{_UNITS[found[2]]}", now, zone)
        if self._format and name in ("starttime", "endtime"):
            return parse_time(_reformatted(value, self._format), now, zone)
        return parse_time(value, now, zone)

    def as_conditions(self, clause: Clause) -> Clause:
        """Return a clause with each modifier as a comparison of the field that it is about."""
        match clause:
            case Junction():
                parts = tuple(self.as_conditions(part) for part in clause.operands)
                return Junction(clause.at, clause.operator, parts)
            case Negation():
                return Negation(clause.at, self.as_conditions(clause.operand))
            case Term(field=name) if is_modifier(clause):
                bound = _bound(name)
                if bound is None:
                    return Junction(clause.at, "and", ())
                return Term(clause.at, *bound, f"{self.moment(clause) / 1e9:.9f}")
        return clause


def _text(term: Term) -> str:
    assert isinstance(term.value, str)  # subsearches are resolved before
    return term.value


def _reformatted(value: str, form: str) -> str:
    """Return a time of the user's own form as ISO 8601; seconds since the epoch (``%s``) stay."""
    if form == "%s":
        return value
    try:
        return datetime.strptime(value, form).isoformat()
    except ValueError:
        raise BadTime(value, f"it is not written as timeformat={form} says") from None
