"""Watches the ledger and keeps a courier for every output, in threads."""

from __future__ import annotations

import logging
import secrets
import threading
import time
from collections.abc import Callable, Sequence

from kubestray.model.counted import Failures
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import CLOSED, MERGED
from kubestray.notify.courier import Courier
from kubestray.notify.lease import Alone, Lease
from kubestray.notify.ledger import ADDED, RESENT, Delivery, Key, Ledger
from kubestray.notify.output import Output
from kubestray.notify.pace import SECOND_NS, Pace
from kubestray.notify.route import Route

logger = logging.getLogger(__name__)

_LOOK_EVERY = 2.0
"""Seconds between looks at the ledger, when nobody tells that there is more."""
_MARGIN = 600 * SECOND_NS
"""How far clocks of servers may differ, and a row may take to be seen (ns)."""
_WRITING = 10 * SECOND_NS
"""How long a change may be on its way from its time to the ledger (ns)."""
_LAST_WORDS = 5.0
"""Seconds that a courier has to end when the server stops."""


class Notifier:
    """Sends what becomes of findings to outputs.

    What is due is read from the ledger: the changes recorded since an output was first seen, for which it has
    no row that settles them. So a restart goes on where the last server ended, however that was.
    ``alone``: no other server uses this ledger. ``clock`` gives nanoseconds.
    """

    def __init__(
        self,
        ledger: Ledger,
        outputs: Sequence[Output],
        routes: Sequence[Route],
        clock: Callable[[], int] = time.time_ns,
        *,
        alone: bool = True,
        pace: Pace | None = None,
    ) -> None:
        self._ledger, self._clock = ledger, clock
        self._server = secrets.token_hex(8)
        self._couriers = [
            Courier(
                output,
                routes_to(output.name, routes),
                ledger,
                clock,
                server=self._server,
                lease=Alone() if alone else Lease(ledger, output.name, self._server, clock),
                pace=pace,
            )
            for output in outputs
        ]
        self._seen: int | None = None
        self._stopping = threading.Event()
        self._more = threading.Event()
        self._wakes = [threading.Event() for _ in outputs]
        self._threads = [
            threading.Thread(target=self._carry, args=pair, name=f"notify-{pair[0].output.name}", daemon=True)
            for pair in zip(self._couriers, self._wakes, strict=True)
        ]
        self._threads.append(threading.Thread(target=self._watch, name="notify", daemon=True))

    def start(self) -> None:
        """Begin; without outputs there is nothing to do."""
        if self._couriers:
            for thread in self._threads:
                thread.start()

    def wake(self) -> None:
        """Look at the ledger now: changes were recorded."""
        self._more.set()

    def stop(self) -> None:
        """End; what is under way is cut off and stays due."""
        self._stopping.set()
        for courier in self._couriers:
            courier.stop()
        for event in (self._more, *self._wakes):
            event.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_LAST_WORDS)
        for courier in self._couriers:
            courier.end()

    def look(self) -> None:
        """Read from the ledger what has come and what has been settled since the last look."""
        now = self._clock()
        since = 0 if self._seen is None else self._seen - _MARGIN
        rows = self._ledger.deliveries(since)
        for courier in self._couriers:
            courier.learn(rows)
        added = [self._known(courier, now) for courier in self._couriers]
        entries = self._ledger.changes(max(since, min(added)))
        for courier in self._couriers:
            courier.offer(entries)
        self._seen = now

    def _known(self, courier: Courier, now: int) -> int:
        """Return since when an output is known; a new one hears of what is open, and of all that comes."""
        queue = courier.queue
        if queue.added is None:
            name = courier.output.name
            added = now - _WRITING
            rows = [Delivery(name, "", 0, ADDED, added, self._server)]
            rows += [Delivery.of(name, key, RESENT, now, self._server, {}) for key in self._open(added)]
            self._ledger.record(rows)
            courier.learn(rows)
        elif queue.added > now:  # by a clock that was ahead: what comes by the right one is due as well
            rows = [Delivery(courier.output.name, "", 0, ADDED, now - _WRITING, f"{self._server}-{now}")]
            self._ledger.record(rows)
            courier.learn(rows)
        assert queue.added is not None
        return queue.added

    def _open(self, before: int) -> list[Key]:
        """Return the last change, recorded before a time, of every finding and incident that is open."""
        last: dict[str, Key] = {}
        for entry in self._ledger.changes(0):
            if entry.recorded < before:
                last[entry.key.id] = max(last.get(entry.key.id, entry.key), entry.key)
        return [
            key
            for key, change in self._ledger.read(last.values()).items()
            if change.change not in (CLOSED, MERGED) and change.document["state"] in ("new", "acknowledged")
        ]

    def _watch(self) -> None:
        failures = Failures()
        while not self._stopping.is_set():
            self._more.clear()
            try:
                self.look()
                failures.over()
            except KubestrayError as error:
                if failures.again() and not self._stopping.is_set():
                    logger.error("the ledger of findings cannot be read, and is tried again: %s", error)
            for event in self._wakes:
                event.set()
            self._more.wait(_LOOK_EVERY)

    def _carry(self, courier: Courier, wake: threading.Event) -> None:
        failures = Failures()
        while not self._stopping.is_set():
            wake.clear()
            try:
                pause = courier.step()
                failures.over()
            except KubestrayError as error:
                if failures.again() and not self._stopping.is_set():
                    name = courier.output.name
                    logger.error("output %s: the ledger failed, and is tried again: %s", name, error)
                pause = SECOND_NS
            if pause != 0:
                wake.wait(None if pause is None else pause / SECOND_NS)


def routes_to(output: str, routes: Sequence[Route]) -> list[Route]:
    """Return the routes of an output; one that no route names gets everything."""
    return [route for route in routes if output in route.outputs] or [Route((output,))]
