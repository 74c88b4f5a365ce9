"""Sends what is due to one output, one change at a time, and records what became of it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import replace

from kubestray.model.counted import is_doubled
from kubestray.model.errors import KubestrayError
from kubestray.model.finding import UPDATED, Change
from kubestray.notify.lease import Alone, Lease
from kubestray.notify.ledger import DEAD, DELIVERED, FAILED, SKIPPED, Delivery, Entry, Key, Ledger
from kubestray.notify.notice import Notice, Reference
from kubestray.notify.output import NotDelivered, Output
from kubestray.notify.pace import SECOND_NS, Pace
from kubestray.notify.queue import Line, Queue
from kubestray.notify.route import Interest, Route, Verdict, interest_of, judge

logger = logging.getLogger(__name__)

_TURNS = 3
"""How often one finding is tried in a row, so that order is kept, before others may go ahead of it."""

_SET_BACK = 60 * SECOND_NS
"""By less than this a clock that goes back only makes a wait longer (ns)."""


class Courier:
    """One output's worker: a stalled receiver holds up no other, a refused finding no other finding.

    `learn` and `offer` may be called from other threads; `step` belongs to one.
    """

    def __init__(
        self,
        output: Output,
        routes: Sequence[Route],
        ledger: Ledger,
        clock: Callable[[], int],
        *,
        server: str = "",
        lease: Lease | Alone | None = None,
        pace: Pace | None = None,
    ) -> None:
        self.output = output
        self.queue = Queue()
        self._routes = [
            route if route.kinds is not None else replace(route, kinds=output.kinds) for route in routes
        ]
        self._ledger, self._clock = ledger, clock
        self._server, self._lease, self._pace = server, lease or Alone(), pace or Pace()
        self._lock = threading.Lock()
        self._runner = ThreadPoolExecutor(1, thread_name_prefix=f"output-{output.name}")
        self._unrecorded: list[Delivery] = []
        self._not_before = self._reached = 0
        self._failing: list[str] = []
        """The findings that the failures since the last success were about, in order."""
        self._next_keep = 0
        self._kept: dict[Key, Change] = {}
        self.stopping = False

    def learn(self, rows: Iterable[Delivery]) -> None:
        """Take in what became of changes of this output."""
        with self._lock:
            self.queue.learn(row for row in rows if row.output == self.output.name)

    def offer(self, entries: Iterable[Entry]) -> None:
        """Take in changes."""
        with self._lock:
            self.queue.offer(entries)

    def stop(self) -> None:
        """Cut off what is under way, which stays due; begin nothing more."""
        self.stopping = True
        self.output.stop()

    def end(self) -> None:
        """Let other servers send to this output, after the last step."""
        self._runner.shutdown(wait=False)
        with suppress(KubestrayError):  # then it runs out by itself
            self._lease.give_up()

    def step(self) -> int | None:
        """Do one thing that is due; return how long there is nothing to do (ns), None if until more comes."""
        self._flush()
        now = self._clock()
        self._follow(now)
        line = self._next(now)
        waits = [wait for wait in (self._due_in(line, now), self._keep_in(now)) if wait is not None]
        if not waits:
            return None
        due = max(min(waits), self._not_before - now)
        if due > 0:
            return due
        before = self._lease.wait(now)
        if before:
            return before
        self._catch_up()
        if self._keep_in(now) == 0:
            self._keep(now)
        elif (line := self._next(now)) and line.not_before <= now:
            self._attend(line, now)
        return 0

    def _follow(self, now: int) -> None:
        """Go back with a clock that was set back: what is waited for takes as long as it was to take."""
        ahead, self._reached = self._reached - now, now
        if ahead > _SET_BACK:
            self._not_before -= ahead
            self._next_keep -= ahead
            with self._lock:
                for line in self.queue.lines.values():
                    line.not_before -= ahead
                    line.first_failure -= ahead if line.first_failure else 0

    def _next(self, now: int) -> Line | None:
        """Return the line whose turn it is, or comes first."""
        with self._lock:
            return min(
                self.queue.lines.values(),
                key=lambda line: (max(line.not_before, now), line.turns // _TURNS, line.since, line.id),
                default=None,
            )

    @staticmethod
    def _due_in(line: Line | None, now: int) -> int | None:
        return None if line is None else max(0, line.not_before - now)

    def _catch_up(self) -> None:
        """Hear what another server has sent before this one was allowed to."""
        if not isinstance(self._lease, Alone):
            self.learn(self._ledger.deliveries(self._clock() - 600 * SECOND_NS, [self.output.name]))

    def _attend(self, line: Line, now: int) -> None:
        """Do the next thing of a line: wait for more, settle what is not to be sent, or send."""
        with self._lock:
            due = dict(line.recorded)
        changes = self._ledger.read(sorted(due))
        if not changes:
            self._settle(list(due), SKIPPED, {"reason": "the ledger has no such change"})
            return
        key, *later = changes
        if (told := self._interest(line, changes[key], now)) is None:
            return
        interest, wait = told
        if wait and interest is Interest.WANTED and due[key] <= now:  # else the clock was set back
            line.not_before = max(line.not_before, due[key] + wait)
            if now < line.not_before:
                return
            *passed, key = key, *(one for one in later if due[one] <= due[key] + wait)
            if (told := self._interest(line, changes[key], now)) is None:
                return
            self._settle(passed, SKIPPED, {"reason": f"{key.uid} came within the wait of the route"})
        self._settle_or_send(line, key, changes[key], told[0])

    def _interest(self, line: Line, change: Change, now: int) -> tuple[Interest, int] | None:
        """Return what routes say, and how long they wait (ns); None if that depends on what is due before.

        A finding whose incident was not told here, as no route leads it here, goes as if it had none.
        """
        interest, wait = interest_of(self._routes, change.document)
        if interest is not Interest.JOINED:
            return interest, wait
        with self._lock:
            incident = change.document["incident"]
            is_told, home = incident in self.queue.sent, self.queue.lines.get(incident)
        if is_told or home is None:
            return (interest if is_told else Interest.WANTED), wait
        if home.not_before > now:
            line.not_before = home.not_before
        else:
            self._attend(home, now)
        return None

    def _settle_or_send(self, line: Line, key: Key, change: Change, interest: Interest) -> None:
        verdict = self._verdict(key, change, interest)
        notice = self._notice(key, change, verdict)
        news = notice.first or notice.ended or change.change != UPDATED or self.output.is_news(notice)
        if verdict.send and news:
            self._send(line, notice)
        else:
            reason = verdict.reason or "nothing in it is news for people"
            self._settle([key], SKIPPED, {"reason": reason})

    def _verdict(self, key: Key, change: Change, interest: Interest) -> Verdict:
        with self._lock:
            is_open = self.queue.is_open(change.id)
            sent = self.queue.sent.get(change.id)
        if self.output.announces and sent and sent.key > key:
            return Verdict(False, reason=f"{sent.key.uid} has been told meanwhile")
        return judge(change, interest, self.output.announces, is_open)

    def _notice(self, key: Key, change: Change, verdict: Verdict) -> Notice:
        with self._lock:
            return Notice(
                change,
                first=change.id not in self.queue.sent,
                ended=verdict.ended,
                reference=self.queue.reference(change.id),
                thread=self.queue.reference(change.document.get("incident")),
                decision=key.decision,
            )

    def _send(self, line: Line, notice: Notice) -> None:
        # A thread of its own keeps whatever it raises: a fault in one payload must not end the others.
        future = self._runner.submit(self.output.deliver, notice)
        fault = future.exception()
        if self.stopping and fault is not None:
            return
        key = notice.key
        if fault is None:
            detail = {"ended": notice.ended, "reference": future.result(), "attempts": line.attempts + 1}
            self._settle([key], DELIVERED, detail)
            self._succeeded(line)
            return
        if not isinstance(fault, NotDelivered):
            logger.error("output %s: %s could not be written", self.output.name, notice.uid, exc_info=fault)
            fault = NotDelivered(f"{type(fault).__name__} while it was written; the log has more")
        self._failed(line, key, fault)

    def _succeeded(self, line: Line) -> None:
        line.calm()
        if len(set(self._failing)) > 1:
            # The receiver was away, not one finding at fault: all go on in the order of their times.
            with self._lock:
                for other in self.queue.lines.values():
                    other.not_before = other.turns = 0
        self._failing.clear()
        self._not_before = 0
        self._next_keep = self._next_keep or self._clock() + round((self.output.repeat or 0) * SECOND_NS)

    def _failed(self, line: Line, key: Key, fault: NotDelivered) -> None:
        now = self._clock()
        line.attempts += 1
        line.turns += 1
        line.first_failure = line.first_failure or now
        detail = {"reason": str(fault), "attempts": line.attempts, "since": line.first_failure}
        if fault.permanent or now - line.first_failure >= self._pace.give_up * SECOND_NS:
            logger.error("output %s: %s is given up: %s", self.output.name, key.uid, fault)
            self._settle([key], DEAD, detail)
            line.calm()
            return
        self._failing.append(line.id)
        if is_doubled(len(self._failing)):
            logger.warning("output %s: %s, and is tried again", self.output.name, fault)
        if is_doubled(line.attempts):
            self._record([Delivery.of(self.output.name, key, FAILED, now, self._server, detail)])
        if line.turns >= _TURNS:
            line.not_before = now + self._pace.wait(line.attempts)
        self._not_before = now + self._pace.wait(len(self._failing), fault.retry_after)

    def _settle(self, keys: Sequence[Key], event: str, detail: Reference) -> None:
        now = self._clock()
        with self._lock:
            rows = [
                # At one time of the clock the row that made it due could win; see `Queue`.
                Delivery.of(
                    self.output.name,
                    key,
                    event,
                    max(now, self.queue.settled_at(key) + 1),
                    self._server,
                    detail,
                )
                for key in keys
            ]
            self.queue.learn(rows)
        self._record(rows)

    def _record(self, rows: Sequence[Delivery]) -> None:
        self._unrecorded += rows
        self._flush()

    def _flush(self) -> None:
        """Record what is known; if the store fails, nothing else is sent before that has worked."""
        if self._unrecorded:
            self._ledger.record(self._unrecorded)
            self._unrecorded = []

    def _keep_in(self, now: int) -> int | None:
        """Return how long until what is open has to be told again (ns)."""
        if self.output.repeat is None:
            return None
        with self._lock:
            if not any(True for _ in self.queue.open()):
                return None
        return max(0, self._next_keep - now)

    def _keep(self, now: int) -> None:
        assert self.output.repeat is not None
        self._next_keep = now + round(self.output.repeat * SECOND_NS)
        with self._lock:
            open_ = dict(self.queue.open())
        missing = [key for key in open_ if key not in self._kept]
        read = self._ledger.read(missing)
        self._kept = {key: change for key, change in {**self._kept, **read}.items() if key in open_}
        notices = [
            Notice(change, False, False, reference=open_[key].reference, decision=key.decision)
            for key, change in self._kept.items()
        ]
        future = self._runner.submit(self.output.keep, notices)
        fault = future.exception()
        if fault is not None and not self.stopping:
            logger.warning("output %s: what is open could not be told again: %s", self.output.name, fault)
