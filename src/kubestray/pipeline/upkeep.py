"""Keeps the store in shape while it is served: summarises, keeps statistics, drops what has expired."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

from kubestray.config import SECOND_NS, Config
from kubestray.model.content import Content
from kubestray.model.errors import KubestrayError
from kubestray.pipeline.accelerating import Accelerator
from kubestray.pipeline.churning import churning
from kubestray.pipeline.percentiles import percentile_metrics
from kubestray.store.expiry import expire, expire_profiles, expire_summaries
from kubestray.store.point_tables import HOUR_NS
from kubestray.store.points import LOOKBACK_NS
from kubestray.store.socket import SocketEngine
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

logger = logging.getLogger(__name__)

_LOOK_EVERY = 10.0  # seconds
_EXPIRE_EVERY = 600.0  # seconds
_LEAP = 3600.0  # seconds
"""By so much the clock may run ahead of the time that passes; more, and somebody has set it."""
_BELIEVED_AFTER = 24 * 3600.0  # seconds


def _passed() -> float:
    """Return seconds that only pass, those in which the machine sleeps included where it can tell."""
    boot = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot is None else time.clock_gettime(boot)


class Leaps:
    """Tells when the clock was set forward while this runs: what is dropped by a wrong clock is gone.

    It is believed a day later, in which people can set it right. ``passed`` gives seconds that only pass.
    """

    def __init__(self, passed: Callable[[], float] = _passed) -> None:
        self._passed = passed
        self._last: tuple[float, float] | None = None
        self._believed = 0.0

    def has_leapt(self, clock: int) -> bool:
        """Return whether the clock (ns), looked at now and then, is not to be believed yet."""
        passed, shown = self._passed(), clock / SECOND_NS
        ahead = shown - self._last[1] - (passed - self._last[0]) if self._last else 0.0
        self._last = passed, shown
        if ahead > _LEAP:
            self._believed = passed + _BELIEVED_AFTER
            logger.warning(
                "the clock went forward by %.1f hours more than have passed: nothing is dropped for a day; "
                "set it right if it is wrong",
                ahead / 3600,
            )
        elif ahead < -_LEAP:
            self._believed = 0.0  # what was dropped by the time before would have been dropped by this one
        return passed < self._believed


@dataclass(frozen=True, slots=True)
class Waiting:
    """What of a store still has to be summarised: until then its points answer, which takes longer."""

    hours: int
    days: int
    """In how many days they lie."""
    oldest: int | None
    """When the first of them began, in nanoseconds."""
    accelerated: int = 0
    """Of how many hours the statistics of searches over long times still have to be kept."""

    def as_json(self) -> dict[str, Any]:
        """Return it in the shape that ``kubestray doctor --format json`` prints."""
        oldest = None if self.oldest is None else self.oldest / SECOND_NS
        return {
            "hours_waiting": self.hours,
            "days_waiting": self.days,
            "oldest": oldest,
            "accelerated_hours_waiting": self.accelerated,
        }


def waiting(store: Store, config: Config, content: Content) -> Waiting:
    """Return what waits to be summarised, by these settings and this content."""
    sketched = percentile_metrics(config, content)
    backlog = Summariser(store, churning(config, content), sketched).backlog()
    hours = [hour for due in backlog for hour in due.hours]
    kept = sum(len(due.hours) for due in Accelerator(store, config, content).backlog())
    return Waiting(len(hours), len(backlog), min(hours) * HOUR_NS if hours else None, kept)


def waiting_at_server(store: Store) -> Waiting | None:
    """Return what waits as the server that has the store counts, which may have other settings and content.

    None if no other process serves it: then nothing is done about it either.
    """
    told = store.engine.backlog() if isinstance(store.engine, SocketEngine) else None
    return Waiting(**told) if told else None


@dataclass(frozen=True, slots=True)
class Health:
    """How upkeep fares: when a pass last ended well, when one last failed (ns; 0: never), and why."""

    passed: int = 0
    failed: int = 0
    error: str = ""


class Upkeep:
    """Summarises a day at most in each pass; drops points when all that is due is summarised."""

    def __init__(
        self, store: Store, summariser: Summariser, accelerator: Accelerator, config: Config
    ) -> None:
        self._store, self._config = store, config
        self._summariser, self._accelerator = summariser, accelerator
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upkeep", daemon=True)
        # The executor keeps whatever a pass raises, so that none ends the thread that tries again.
        self._passing = ThreadPoolExecutor(1, thread_name_prefix="upkeep")
        self._next_expiry = 0.0
        self._leaps = Leaps()
        self._health = Health()

    def health(self) -> Health:
        """Return how it fares; from any thread."""
        return self._health

    def start(self) -> None:
        """Go on where the last server of this store left off."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the statement that is under way; what is left is due again when a server starts."""
        self._stopping.set()
        self._thread.join()
        self._passing.shutdown()

    def _loop(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            passing = self._passing.submit(self._pass)
            if fault := passing.exception():
                known = isinstance(fault, KubestrayError)
                told = str(fault) if known else f"{type(fault).__name__}: {fault}"
                self._health = replace(self._health, failed=time.time_ns(), error=told)
                told = f"upkeep of the store failed and is tried again: {told}"
                logger.error("%s", told, exc_info=None if known else fault)
                pause = _LOOK_EVERY
            else:
                self._health = replace(self._health, passed=time.time_ns())
                pause = 0.0 if passing.result() else _LOOK_EVERY

    def _pass(self) -> bool:
        """See to what is due; return whether there may be more."""
        if self._summariser.pass_once() or self._accelerator.pass_once():
            return True
        if time.monotonic() >= self._next_expiry:
            self._next_expiry = time.monotonic() + _EXPIRE_EVERY
            self._expire()
        return False

    def _expire(self) -> None:
        clock = self._store.clock()
        if self._leaps.has_leapt(clock):
            return
        # The oldest points of counters that are kept are increases over points before them.
        points = self._config["retention_raw"] + LOOKBACK_NS
        expire(self._store, clock - points)
        # Of points that are still there summaries would be made again.
        expire_summaries(self._store, clock - max(points, self._config["retention_summaries"]))
        expire_profiles(self._store, clock - self._config["retention_raw"])
