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
from typing import Any, NamedTuple, Protocol, Self

from kubestray.model.finding import Change

ADDED, LEASED = "added", "leased"
DELIVERED, SKIPPED, FAILED, DEAD, RESENT = "delivered", "skipped", "failed", "dead", "resent"

SETTLING = {DEAD: 0, SKIPPED: 0, RESENT: 1, DELIVERED: 2}
"""Events that say whether a change is due; of two at one time the higher holds."""


class Key(NamedTuple):
    """A change of a finding or incident, by name; keys of one finding are in the order of what became of it.

    What a person decided comes after the change ``sequence``, and has a text of its time and identity.
    """

    id: str
    sequence: int
    decision: str = ""

    @property
    def uid(self) -> str:
        """The name as a text, by which receivers that are told twice can tell."""
        decided = self.decision.rpartition(".")[2][:12]
        return f"{self.id}-{self.sequence}" + (f"-{decided}" if decided else "")

    @property
    def place(self) -> tuple[int, str]:
        """Where it comes among the changes of its finding."""
        return self.sequence, self.decision


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
    decision: str = ""

    @property
    def key(self) -> Key:
        """The change."""
        return Key(self.id, self.sequence, self.decision)

    @classmethod
    def of(cls, output: str, key: Key, event: str, time: int, server: str, detail: dict[str, Any]) -> Self:
        """Return what became of a change."""
        return cls(output, key.id, key.sequence, event, time, server, detail, key.decision)


class Ledger(Protocol):
    """Where changes and deliveries are kept; every method may raise `KubestrayError`."""

    def changes(self, since: int) -> list[Entry]:
        """Return what became of findings, and what was decided about them, at or after a time (ns)."""
        ...

    def read(self, keys: Collection[Key]) -> dict[Key, Change]:
        """Return changes with their documents as they stood then, in the order of the keys."""
        ...

    def deliveries(self, since: int, outputs: Sequence[str] = ()) -> list[Delivery]:
        """Return what became of changes at or after a time (ns); of all outputs, if none is named."""
        ...

    def record(self, rows: Iterable[Delivery]) -> None:
        """Keep what became of changes; when it returns, that survives a crash."""
        ...
