"""What is kept of points when they are aggregated: states of the engine, which merge without loss.

A state is made of points (``{function}State``), merged into another one (``{function}MergeState``) or into
a value (``{function}Merge``). Summaries keep the states of an hour or a day; those that are not kept grow
with the number of points, or depend on the order in which points are read.
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.store.cells import in_one_cell, remainder
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

    def taken(self, value: Tree) -> list[Tree]:
        """Return what it takes of a value, of rows that may have the column ``time``."""
        made = {
            "value": lambda: value.copy(),
            "square": lambda: call("multiply", value.copy(), value.copy()),
            "remainder": lambda: remainder(value),
            "element": lambda: call("array", element(place(value.copy()), number(1))),
        }
        return [made[name]() if name in made else column(name) for name in self.takes]

    def of_points(self) -> Tree:
        """Return the state of points with the columns ``time`` and ``value``."""
        return call(f"{self.function}State", *self.taken(column("value")))

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
    "near": State("varSampStable", ("remainder",), kept=True),
    "squares": State("sum", ("square",), kept=True),
    "first": State("argMin", ("value", "time")),
    "last": State("argMax", ("value", "time")),
    "first_time": State("min", ("time",)),
    "last_time": State("max", ("time",)),
    "all": State("groupArray", ("value",), single=False),
    "distinct": State("uniqExact", ("value",)),
    SKETCH: State("groupArrayArray", ("element",), single=False),
}


def to_keep(name: str) -> Tree:
    """Return the state to be kept of all that columns of states, called as these are, were made of."""
    made = STATES[name].merged(column(name))
    if name != "near":
        return made
    least, most = (call(f"{STATES[one].function}Merge", column(one)) for one in ("least", "most"))
    return in_one_cell(made, least, most)
