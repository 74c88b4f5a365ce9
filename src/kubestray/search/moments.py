"""Times in statements: whole microseconds since the epoch, shifted and snapped by the clocks of a zone.

A moment is a ``Nullable(Int64)``; the wall of a moment is what the clocks of a zone show then, written as if
it were UTC. `kubestray.search.times` has the same arithmetic for times that are known while planning.
"""

from __future__ import annotations

from collections.abc import Callable

from kubestray.search.times import DAYS, MONTHS, SIZES, Step
from kubestray.search.values import bound
from kubestray.search.zones import UTC
from kubestray.store.trees import Tree, call, column, either, null, number, text

MICROS = 1_000_000
DAY = 86_400 * MICROS

_FIRST, _END = -62_135_596_800, 253_402_300_800
"""Years 1 to 9999, in seconds."""


def once(value: Tree, body: Callable[[Tree], Tree], name: str = "t") -> Tree:
    """Return ``body`` of a value that is written once, however often the body mentions it."""
    return bound(name, value, body(column(name)))


def moment_of(seconds: Tree) -> Tree:
    """Return the moment of a time in seconds; null outside the years 1 to 9999."""

    def moment(time: Tree) -> Tree:
        micros = call("toInt64", call("round", call("multiply", time, number(MICROS))))
        return either(_has_a_year(time), micros, null())

    return once(seconds, moment)


def with_a_year(seconds: Tree) -> Tree:
    """Return a time in seconds that has a moment; null for any other."""
    return either(_has_a_year(seconds.copy()), seconds, null())


def _has_a_year(time: Tree) -> Tree:
    return call("and", call("greaterOrEquals", time, number(_FIRST)), call("less", time.copy(), number(_END)))


def seconds_of(moment: Tree) -> Tree:
    """Return a moment as seconds."""
    return call("divide", moment, number(float(MICROS)))


def clock_of(moment: Tree, zone: str) -> Tree:
    """Return a moment as the engine's own type, with a zone."""
    return call("fromUnixTimestamp64Micro", moment, text(zone))


def offset_of(moment: Tree, zone: str) -> Tree:
    """Return how far a zone is ahead of UTC at a moment, in seconds."""
    return call("toInt64", call("timezoneOffset", clock_of(moment, zone)))


def rest(value: Tree, size: int) -> Tree:
    """Return how far a value is past a multiple of a size; never below 0."""
    return call("positiveModulo", value, number(size))


def wall_of(moment: Tree, zone: str) -> Tree:
    """Return what the clocks of a zone show at a moment; the moment is written twice."""
    if zone == UTC:
        return moment
    return call("plus", moment, _ahead(moment, zone))


def moment_at(wall: Tree, zone: str) -> Tree:
    """Return the moment at which the clocks of a zone show this.

    What they show twice is the first time; what they skip is as if they had not been changed yet.
    """
    if zone == UTC:
        return wall

    def moment(shown: Tree) -> Tree:
        before = _ahead(call("minus", shown, number(DAY)), zone)
        after = _ahead(call("plus", shown, number(DAY)), zone)
        early, late = call("minus", shown, before), call("minus", shown, after)
        is_late = call("and", _differ(_ahead(early, zone), before), call("equals", _ahead(late, zone), after))
        return either(is_late, late, early)

    return once(wall, moment, "w")


def _differ(a: Tree, b: Tree) -> Tree:
    return call("notEquals", a, b)


def _ahead(moment: Tree, zone: str) -> Tree:
    return call("multiply", offset_of(moment, zone), number(MICROS))


def moved(moment: Tree, step: Step, zone: str) -> Tree:
    """Return a moment after a step, as `kubestray.search.times.moved` does for times that are known."""
    size = SIZES.get(step.unit)
    if size and not step.snap:
        return call("plus", moment, number(step.count * size // 1000))
    if not step.snap and not step.count:
        return moment
    if size:
        return once(moment, lambda t: call("minus", t, rest(wall_of(t, zone), max(size // 1000, 1))))
    if step.snap:
        return _on_wall(moment, zone, lambda wall: wall_snapped(wall, step.unit, number(step.weekday)))
    return _on_wall(moment, zone, lambda wall: _wall_shifted(wall, step.count, step.unit))


def _wall_shifted(wall: Tree, count: int, unit: str) -> Tree:
    if unit in DAYS:
        return call("plus", wall, number(count * DAYS[unit] * DAY))
    return months_added(wall, number(count * MONTHS[unit]))


def months_added(wall: Tree, count: Tree) -> Tree:
    """Move a wall by months; the day is the month's last where it has fewer days."""
    return call("toUnixTimestamp64Micro", call("addMonths", clock_of(wall, UTC), count))


def wall_snapped(wall: Tree, unit: str, weekday: Tree) -> Tree:
    """Move a wall back to the start of its day or longer unit; the wall is written several times."""
    midnight = call("minus", wall, rest(wall, DAY))
    clock = clock_of(wall, UTC)
    if unit == "days":
        return midnight
    if unit == "weeks":
        back = rest(call("minus", call("toDayOfWeek", clock), weekday), 7)
    elif unit == "years":
        back = call("minus", call("toDayOfYear", clock), number(1))
    else:
        back = call("minus", call("toDayOfMonth", clock), number(1))
    start = call("minus", midnight, call("multiply", call("toInt64", back), number(DAY)))
    if unit != "quarters":
        return start
    into = rest(call("minus", call("toMonth", clock), number(1)), 3)
    return months_added(start, call("negate", into))


def _on_wall(moment: Tree, zone: str, change: Callable[[Tree], Tree]) -> Tree:
    """Change what the clocks show, and return the moment at which they show that."""
    wall = once(moment, lambda t: wall_of(t, zone))
    return moment_at(once(wall, change), zone)
