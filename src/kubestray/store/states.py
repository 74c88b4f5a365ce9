"""What is kept of points when they are aggregated: states of the engine, which merge without loss.

A state is made of points (``{function}State``), merged into another one (``{function}MergeState``) or into
a value (``{function}Merge``). Summaries keep the states of an hour or a day; those that are not kept grow
with the number of points, or depend on the order in which points are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.store.places import element, place
from kubestray.store.trees import Tree, call, column, number


@dataclass(frozen=True, slots=True)
class State:
    """The engine's aggregate function, the columns of a point it takes, and whether summaries keep it."""

    function: str
    takes: tuple[str, ...] = ()
    kept: bool = False
    single: bool = True
    """Whether its value is a single number; else it is all values."""

    @property
    def type(self) -> str:
        """The engine's type of a column of such states."""
        return f"AggregateFunction({', '.join([self.function, *('Float64' for _ in self.takes)])})"

    @property
    def taken(self) -> list[Tree]:
        """What it takes of points with the columns ``time`` and ``value``."""
        made = {
            "square": lambda: call("multiply", column("value"), column("value")),
            "element": lambda: call("array", element(place(column("value")), number(1))),
        }
        return [made[name]() if name in made else column(name) for name in self.takes]

    def of_points(self) -> Tree:
        """Return the state of points."""
        return call(f"{self.function}State", *self.taken)

    def merged(self, made: Tree) -> Tree:
        """Return the state of all that a column of states was made of."""
        return call(f"{self.function}MergeState", made)


SKETCH = "sketch"
"""All values as elements of a sketch (`store.sketches`), which tables of their own keep."""

STATES: dict[str, State] = {
    "n": State("count", kept=True),
    "total": State("sumKahan", ("value",), kept=True),
    "least": State("min", ("value",), kept=True),
    "most": State("max", ("value",), kept=True),
    "spread": State("varSampStable", ("value",), kept=True),
    "squares": State("sum", ("square",), kept=True),
    "first": State("argMin", ("value", "time")),
    "last": State("argMax", ("value", "time")),
    "first_time": State("min", ("time",)),
    "last_time": State("max", ("time",)),
    "all": State("groupArray", ("value",), single=False),
    "distinct": State("uniqExact", ("value",)),
    SKETCH: State("groupArrayArray", ("element",), single=False),
}
