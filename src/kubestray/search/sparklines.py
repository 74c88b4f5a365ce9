"""``sparkline(AGGREGATE, SPAN)``: an aggregate for each span of time, as one multivalue field.

The first of its values is the text by which Splunk's pages know such a field, the others are the numbers.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.binning import extent_of_times
from kubestray.search.relation import Context, Relation
from kubestray.search.spans import TimeSpan, automatic_time, parse_span
from kubestray.search.values import NULL, Shape, Value, as_text
from kubestray.search.windows import chosen, mark
from kubestray.store.trees import Tree, call, column, either, is_null, lambda_, number, text

_MARK = "##__SPARKLINE__##"
_MOST = 100


@dataclass(frozen=True, slots=True)
class Trend:
    """The bins of a sparkline: their starts in order, and the start of a row's bin."""

    starts: tuple[float, ...]
    start: Tree

    def of(self, value: Value, *, counting: bool) -> Value:
        """Return the aggregate for each bin; where there is nothing a count is 0 and another empty."""
        one = chosen(value.tree, marks=[self.start], condition=call("equals", mark(1), column("b")))
        shown = as_text(Value(value.shape, one))
        nothing = text("0") if counting else text("")
        each = either(is_null(shown), nothing, call("assumeNotNull", shown.copy()))
        bins = call("array", *(number(start) for start in self.starts))
        numbers = call("arrayMap", lambda_("b", each), bins)
        return Value(Shape.MULTI, call("arrayConcat", call("array", text(_MARK)), numbers))


def trend(span: str | None, time: Tree | None, relation: Relation, context: Context, at: int) -> Trend:
    """Return the bins from the oldest row to the newest; without a span at most 100 of them."""
    if time is None:
        raise context.error(at, "sparkline() needs _time")
    first, last = extent_of_times(time, relation, context)
    if first is None or last is None:
        return Trend((), NULL.tree)
    length = _length(span, first, last, context, at)
    if length.count(first, last) > _MOST + 1:
        raise context.error(at, f"span={span} makes more than {_MOST} values", "take a longer span")
    return Trend(tuple(length.starts(first, last)), length.start(time))


def _length(span: str | None, first: float, last: float, context: Context, at: int) -> TimeSpan:
    if span is None:
        return automatic_time(first, last, _MOST, 0.0, context.timezone)
    found = parse_span(span, context.timezone)
    if not isinstance(found, TimeSpan):
        raise context.error(at, f"{span} is not a length of time", "write sparkline(count, 5m)")
    return found
