"""Keeps the store in shape while it is served: summarises what is due, drops what has expired."""

from __future__ import annotations

import logging
import threading
import time

from kubestray.config import Config
from kubestray.model.errors import KubestrayError
from kubestray.store.expiry import expire, expire_profiles, expire_summaries
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser

logger = logging.getLogger(__name__)

_LOOK_EVERY = 10.0  # seconds
_EXPIRE_EVERY = 600.0  # seconds


class Upkeep:
    """Summarises a day at most in each pass; drops points when all that is due is summarised."""

    def __init__(self, store: Store, summariser: Summariser, config: Config) -> None:
        self._store, self._summariser, self._config = store, summariser, config
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="upkeep", daemon=True)
        self._next_expiry = 0.0

    def start(self) -> None:
        """Go on where the last server of this store left off."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the statement that is under way; what is left is due again when a server starts."""
        self._stopping.set()
        self._thread.join()

    def _loop(self) -> None:
        pause = 0.0
        while not self._stopping.wait(pause):
            try:
                pause = 0.0 if self._summariser.pass_once() else _LOOK_EVERY
                if pause and time.monotonic() >= self._next_expiry:
                    self._next_expiry = time.monotonic() + _EXPIRE_EVERY
                    self._expire()
            except KubestrayError:
                pause = _LOOK_EVERY
                logger.exception("upkeep of the store failed and is tried again")

    def _expire(self) -> None:
        clock = self._store.clock()
        expire(self._store, clock - self._config["retention_raw"])
        expire_summaries(self._store, clock - self._config["retention_summaries"])
        expire_profiles(self._store, clock - self._config["retention_raw"])
