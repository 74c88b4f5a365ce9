"""What one output has still to send, and what it sent last of each finding: derived from the ledger."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from kubestray.notify.ledger import ADDED, DELIVERED, RESENT, SETTLING, Delivery, Entry, Key
from kubestray.notify.notice import Reference


@dataclass(frozen=True, slots=True)
class Sent:
    """The latest change of a finding that was delivered."""

    key: Key
    ended: bool
    reference: Reference | None


@dataclass(slots=True)
class Line:
    """The changes of one finding that are due, each with the time it was recorded (ns)."""

    id: str
    recorded: dict[Key, int] = field(default_factory=dict)
    attempts: int = 0
    first_failure: int = 0
    not_before: int = 0
    turns: int = 0
    """How often it was tried in vain since the receiver was known to be there."""

    @property
    def head(self) -> Key:
        """The one that has to go first."""
        return min(self.recorded)

    @property
    def since(self) -> int:
        """When the first of them was recorded."""
        return self.recorded[self.head]

    def calm(self) -> None:
        """Forget failures."""
        self.attempts = self.first_failure = self.not_before = self.turns = 0


class Queue:
    """The lines of an output. Rows may come in any order, and again."""

    def __init__(self) -> None:
        self.added: int | None = None
        """Since when the output is known (ns)."""
        self.lines: dict[str, Line] = {}
        self.sent: dict[str, Sent] = {}
        self._states: dict[Key, tuple[int, int]] = {}
        self._decisions: set[tuple[str, str]] = set()
        """Settled decisions, whatever place they had: clocks of servers can put one elsewhere later."""

    def learn(self, rows: Iterable[Delivery]) -> None:
        """Take in what became of changes."""
        for row in rows:
            if row.event == ADDED:
                self.added = row.time if self.added is None else min(self.added, row.time)
            elif row.event in SETTLING:
                self._settle(row)

    def offer(self, entries: Iterable[Entry]) -> None:
        """Take in changes; those that are settled already, or older than the output, are not due."""
        for entry in entries:
            key, added = entry.key, self.added
            known = key in self._states or (key.id, key.decision) in self._decisions
            if not known and added is not None and entry.recorded >= added:
                self._line(entry.key).recorded.setdefault(entry.key, entry.recorded)

    def open(self) -> Iterator[tuple[Key, Sent]]:
        """Give what was delivered last of each finding that has not ended."""
        for sent in self.sent.values():
            if not sent.ended:
                yield sent.key, sent

    def is_open(self, id_: str) -> bool:
        """Whether the receiver was told of it, and not yet of its end."""
        sent = self.sent.get(id_)
        return sent is not None and not sent.ended

    def reference(self, id_: str | None) -> Reference | None:
        """Return what the output remembers of a finding or incident."""
        sent = self.sent.get(id_ or "")
        return sent.reference if sent else None

    def settled_at(self, key: Key) -> int:
        """Return the time of the latest row about a change (ns), or -1."""
        return self._states.get(key, (-1, 0))[0]

    def _settle(self, row: Delivery) -> None:
        now = (row.time, SETTLING[row.event])
        if self._states.get(row.key, (-1, 0)) < now:
            self._states[row.key] = now
            if row.decision:
                self._decisions.add((row.id, row.decision))
            if row.event == RESENT:
                self._line(row.key).recorded[row.key] = row.time
            else:
                self._drop(row.key)
        before = self.sent.get(row.id)
        if row.event == DELIVERED and (before is None or before.key <= row.key):
            detail = row.detail
            self.sent[row.id] = Sent(row.key, bool(detail.get("ended")), detail.get("reference"))

    def _line(self, key: Key) -> Line:
        return self.lines.setdefault(key.id, Line(key.id))

    def _drop(self, key: Key) -> None:
        line = self.lines.get(key.id)
        if line and line.recorded.pop(key, None) is not None and not line.recorded:
            del self.lines[key.id]
