"""From pages of values to the requests of each agent, collection by collection."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import groupby
from typing import Final, Protocol

from kubestray.simulate.noise import F64, I64
from kubestray.simulate.series import NANOS, Channel
from kubestray.simulate.table import Page, Table

_LAYOUTS_KEPT: Final = 2_000


class Layout(Protocol):
    """A request laid out for some channels; see `otlp`."""

    def fill(self, time: int, values: F64) -> bytes:
        """Return the request of one collection."""


MakeLayout = Callable[[Sequence[Channel]], Layout]


class Sender:
    """Makes the requests of some tables; a request is one agent's, of at most ``most`` points.

    A resource is never split, so a single larger one still goes out whole.
    """

    def __init__(self, tables: list[Table], layout: MakeLayout, most: int) -> None:
        self.tables = tables
        self._layout = layout
        self._most = most
        self._layouts: dict[tuple[int, bytes], Layout] = {}

    def requests(self, seconds: I64) -> Iterator[tuple[int, bytes]]:
        """Yield (time in seconds, request), in the order of time."""
        pages = []
        for number, table in enumerate(self.tables):
            rows = table.alive(int(seconds[0]), int(seconds[-1]))
            if len(rows):
                pages.append((number, table.page(rows, seconds), self._cuts(table, rows)))
        for column, second in enumerate(seconds.tolist()):
            for number, page, cuts in pages:
                for cut in cuts:
                    request = self._request(number, page, cut, column, second * NANOS)
                    if request:
                        yield second, request

    def _cuts(self, table: Table, rows: I64) -> list[slice]:
        """Cut rows where the agent changes, and between resources where a request is full."""
        cuts: list[slice] = []
        first = place = 0
        channels = table.family.channels
        agent = ""
        for _, run in groupby(rows.tolist(), key=lambda row: id(channels[row].resource)):
            members = list(run)
            sender = channels[members[0]].resource.agent
            if place > first and (sender != agent or place - first + len(members) > self._most):
                cuts.append(slice(first, place))
                first = place
            agent = sender
            place += len(members)
        return [*cuts, slice(first, place)]

    def _request(self, number: int, page: Page, cut: slice, column: int, time: int) -> bytes:
        sent = page.present[cut, column]
        rows = page.rows[cut]
        values = page.values[cut, column]
        if not sent.all():
            rows, values = rows[sent], values[sent]
        return self._laid_out(number, rows).fill(time, values) if len(rows) else b""

    def _laid_out(self, number: int, rows: I64) -> Layout:
        name = (number, rows.tobytes())
        if name not in self._layouts:
            if len(self._layouts) >= _LAYOUTS_KEPT:
                self._layouts.clear()
            channels = self.tables[number].family.channels
            self._layouts[name] = self._layout([channels[row] for row in rows.tolist()])
        return self._layouts[name]
