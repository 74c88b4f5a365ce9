"""Plans that give no rows whatever the store holds: such a search is not run.

Most runs of a schedule find nothing new, and know so once they are planned: nothing is new of what `unseen`
asks about, nothing strays, or no series is of what `mstats` reads.
"""

from __future__ import annotations

from kubestray.search.plan import Extend, Filter, Grouped, Joined, Limited, Measure, Node, Rows, Stacked


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
