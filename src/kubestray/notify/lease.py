"""Which of several servers sends to an output: one at a time, as long as it says so."""

from __future__ import annotations

from collections.abc import Callable

from kubestray.notify.ledger import LEASED, Delivery, Ledger

SECOND_NS = 10**9
LENGTH = 30 * SECOND_NS
SETTLE = SECOND_NS
"""How long a server waits after it put itself forward, so that it sees who else did (ns)."""


class Alone:
    """The only server of its store may always send."""

    def wait(self, now: int) -> int:  # noqa: ARG002
        """Return 0."""
        return 0

    def give_up(self) -> None:
        """Do nothing."""


class Lease:
    """A server's claim to one output. Two that put themselves forward at once both see both, and agree."""

    def __init__(self, ledger: Ledger, output: str, server: str, clock: Callable[[], int]) -> None:
        self._ledger, self._output, self._server, self._clock = ledger, output, server, clock
        self._since = 0
        self._until = 0
        self._asked = 0

    def wait(self, now: int) -> int:
        """Return 0 if this server may send now, else how long to wait before asking again (ns)."""
        if self._since and now < self._until - LENGTH // 2:
            return 0
        holders = self._holders(now)
        if self._since:
            return self._renewed(now, holders)
        if self._asked:
            return self._decided(now, holders)
        others = [until for _, server, until in holders if server != self._server]
        if others:
            return max(SECOND_NS, min(others) - now)
        self._asked = now
        self._claim(now, now + LENGTH)
        return SETTLE

    def give_up(self) -> None:
        """Let others send at once."""
        if self._since or self._asked:
            self._claim(self._since or self._asked, 0)
            self._since = self._asked = self._until = 0

    def _decided(self, now: int, holders: list[tuple[int, str, int]]) -> int:
        if now < self._asked + SETTLE:
            return self._asked + SETTLE - now
        since, self._asked = self._asked, 0
        if not holders or min(holders)[1] != self._server:
            self._claim(since, 0)
            return SECOND_NS
        self._since = since
        self._until = since + LENGTH
        return 0

    def _renewed(self, now: int, holders: list[tuple[int, str, int]]) -> int:
        if now >= self._until or (holders and min(holders)[1] != self._server):
            # It ran out, and somebody else may have sent meanwhile.
            self._since = self._until = 0
            return self.wait(now)
        self._until = now + LENGTH
        self._claim(self._since, self._until)
        return 0

    def _claim(self, since: int, until: int) -> None:
        detail = {"since": since, "until": until}
        self._ledger.record([Delivery(self._output, "", 0, LEASED, self._clock(), self._server, detail)])

    def _holders(self, now: int) -> list[tuple[int, str, int]]:
        """Return who holds or asks for it, as (since, server, until): the least is the holder."""
        rows = self._ledger.deliveries(now - 10 * LENGTH, [self._output])
        claims = [
            (row.detail["since"], row.server, row.detail["until"]) for row in rows if row.event == LEASED
        ]
        return [claim for claim in claims if claim[2] > now]
