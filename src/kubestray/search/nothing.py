"""Plans that give no rows whatever the store holds: such a search is not run.

Most runs of a schedule find nothing new, and know so once they are planned: nothing is new of what `unseen`
asks about, nothing strays, or no series is of what `mstats` reads.
"""

from __future__ import annotations

from collections.abc import Iterable

from kubestray.search.plan import Extend, Filter, Grouped, Joined, Limited, Measure, Node, Rows, Stacked
from kubestray.search.syntax import Command

_ROWS_FROM_ROWS = frozenset(
    """
    dedup eval fields fillnull head join lookup mvexpand rename rex search sort streamstats table tail where
    """.split()
)
_WRITING = frozenset(("collect", "outputlookup"))
"""Commands that write nothing, and give no row where none comes in."""


def gives_nothing(node: Node) -> bool:
    """Return whether it is certain that a plan gives no rows."""
    match node:
        case Rows():
            return not node.json
        case Measure():
            return not node.metrics and bool(node.by or node.bin)
        case Extend() | Filter() | Limited():
            return gives_nothing(node.source)
        case Grouped():
            return bool(node.groups) and gives_nothing(node.source)
        case Joined():
            return gives_nothing(node.left) or (not node.outer and gives_nothing(node.right))
        case Stacked():
            return all(gives_nothing(part) for part, _ in node.parts)
    return False


def adds_nothing(commands: Iterable[Command]) -> bool:
    """Return whether it is certain that some commands make nothing of nothing, and write nothing."""
    return all(_adds_nothing(command) for command in commands)


def writes_something(commands: Iterable[Command]) -> bool:
    """Return whether one of some commands, or of their subsearches, writes what others can read."""
    return any(name_of(one) in _WRITING or _writes_within(one) for one in commands)


def _writes_within(command: Command) -> bool:
    within = getattr(command, "subsearch", None)
    return within is not None and writes_something(within.commands)


def _adds_nothing(command: Command) -> bool:
    if _writes_within(command):
        return False
    return (
        bool(getattr(command, "by", ()))
        if name_of(command) == "stats"
        else name_of(command) in _ROWS_FROM_ROWS
    )


def name_of(command: Command) -> str:
    """Return the name of a command, as it is written in a search."""
    return type(command).__module__.rpartition(".")[2].rstrip("_")
