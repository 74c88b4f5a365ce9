"""Why a row is there: which of its values would have had to be different for a search to leave it out.

Looks at the conditions of ``where`` after the last command that makes rows of others, as those are about the
rows of the result. A comparison that holds is told with what it asks for and with what there was.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any

from kubestray.model.errors import SearchError
from kubestray.search.commands.append import Append
from kubestray.search.commands.appendpipe import AppendPipe
from kubestray.search.commands.chart import Chart
from kubestray.search.commands.dedup import Dedup
from kubestray.search.commands.mstats import MStats
from kubestray.search.commands.stats import Stats
from kubestray.search.commands.timechart import TimeChart
from kubestray.search.commands.transaction import Transaction
from kubestray.search.commands.where import Where
from kubestray.search.frequency import Frequency
from kubestray.search.parser import parse
from kubestray.search.source import KnownMacros, expand
from kubestray.search.syntax import Binary, Command, Expression, Field, Number

_GATHERING = (Append, AppendPipe, Chart, Dedup, MStats, Stats, TimeChart, Frequency, Transaction)
_ARITHMETIC: dict[str, Callable[[float, float], float]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
}
_OPPOSITES = {">": "at most", ">=": "below", "<": "at least", "<=": "above", "==": "other than", "!=": ""}
_HOLDS: dict[str, Callable[[float, float], bool]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
    "==": operator.eq,
    "!=": operator.ne,
}

Row = Mapping[str, Any]


def would_not_be_there(search: str, row: Row, macros: KnownMacros) -> list[str]:
    """Return what would have kept a row out of the result, such as ``steps at most 5 (54)``.

    Nothing is said of conditions on what the row does not show, or by which it is not kept.
    """
    try:
        commands = parse(expand(search, macros, dollars=True)).commands
    except SearchError:
        return []  # told when it is run
    said: list[str] = []
    for condition in _last_conditions(commands):
        said += _against(condition, row) or []
    return list(dict.fromkeys(said))


def _last_conditions(commands: tuple[Command, ...]) -> list[Expression]:
    found: list[Expression] = []
    for command in commands:
        if isinstance(command, _GATHERING):
            found = []
        elif isinstance(command, Where):
            found.append(command.condition)
    return found


def _against(condition: Expression, row: Row) -> list[str] | None:
    """Return what would make a condition untrue, each enough by itself; None if it is not known to hold."""
    if not isinstance(condition, Binary):
        return None
    if condition.operator == "and":
        sides = [_against(side, row) for side in (condition.left, condition.right)]
        return [one for side in sides for one in side or []]
    if condition.operator == "or":
        holding = [side for side in (_against(condition.left, row), _against(condition.right, row)) if side]
        return [" and ".join(side[0] for side in holding)] if holding else None
    return _compared(condition, row)


def _compared(condition: Binary, row: Row) -> list[str] | None:
    holds = _HOLDS.get(condition.operator)
    left, right = _value(condition.left, row), _value(condition.right, row)
    if holds is None or left is None or right is None or not holds(left, right):
        return None
    field, limit, word = condition.left, right, condition.operator
    if not isinstance(field, Field):
        field, limit, word, left = condition.right, left, _turned(word), right
    if not isinstance(field, Field) or not _OPPOSITES[word]:
        return None
    return [f"{field.name} {_OPPOSITES[word]} {_plain(limit)} ({_plain(left)})"]


def _plain(value: float) -> str:
    """Return a number as people write it: without an exponent up to a quadrillion, bytes among them."""
    return f"{value:,.0f}" if 1e6 <= abs(value) < 1e15 else f"{value:.6g}"


def _turned(word: str) -> str:
    return word.translate(str.maketrans("<>", "><"))


def _value(expression: Expression, row: Row) -> float | None:
    """Return what simple arithmetic over a row's fields comes to; None for all else."""
    match expression:
        case Number():
            return expression.value
        case Field():
            return _number(row.get(expression.name))
        case Binary() if expression.operator in _ARITHMETIC:
            left, right = _value(expression.left, row), _value(expression.right, row)
            known = left is not None and right is not None
            return _ARITHMETIC[expression.operator](left, right) if known else None  # type: ignore[arg-type]
    return None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or value is None or isinstance(value, list):
        return None
    try:
        return float(value)
    except ValueError:
        return None
