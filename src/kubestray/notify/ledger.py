"""The ledger as outputs see it: what is to be told, and what has become of that.

===========  ======================================================================================
event        what
===========  ======================================================================================
``added``    an output was seen for the first time (no finding): what was recorded before is not due
``delivered``  the receiver has it; ``detail`` has ``ended`` and what the output remembers
``skipped``  it is not sent; ``detail`` says why
``failed``   it was tried in vain, and is tried again; ``detail`` says why and how often
``dead``     it was given up; ``detail`` says why
``resent``   it is due, whatever became of it before
``leased``   a server sends to this output until the time in ``detail`` (no finding)
===========  ======================================================================================

Rows are only added. A later row of the same server, change and event takes the place of an earlier one.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol

from kubestray.model.finding import Change

ADDED, LEASED = "added", "leased"
DELIVERED, SKIPPED, FAILED, DEAD, RESENT = "delivered", "skipped", "failed", "dead", "resent"

SETTLING = {DEAD: 0, SKIPPED: 0, RESENT: 1, DELIVERED: 2}
"""Events that say whether a change is due; of two at one time the higher holds."""


class Key(NamedTuple):
    """A change of a finding or incident, by name."""

    id: str
    sequence: int


@dataclass(frozen=True, slots=True)
class Entry:
    """A change without its document: when it was ``recorded``, in nanoseconds of the clock."""

    key: Key
    change: str
    recorded: int


@dataclass(frozen=True, slots=True)
class Delivery:
    """What became of a change at an output, or of the output itself (then without a finding)."""

    output: str
    id: str
    sequence: int
    event: str
    time: int
    server: str
    detail: dict[str, Any] = field(default_factory=dict)

    @property
    def key(self) -> Key:
        """The change."""
        return Key(self.id, self.sequence)


class Ledger(Protocol):
    """Where changes and deliveries are kept; every method may raise `KubestrayError`."""

    def changes(self, since: int) -> list[Entry]:
        """Return the changes recorded at or after a time (ns)."""
        ...

    def read(self, keys: Collection[Key]) -> list[Change]:
        """Return changes with their documents, in the order of their keys."""
        ...

    def deliveries(self, since: int, outputs: Sequence[str] = ()) -> list[Delivery]:
        """Return what became of changes at or after a time (ns); of all outputs, if none is named."""
        ...

    def record(self, rows: Iterable[Delivery]) -> None:
        """Keep what became of changes; when it returns, that survives a crash."""
        ...
