"""Waits for SIGINT or SIGTERM, whichever thread of the process the kernel gives it to.

Python runs handlers of signals in the main thread. That one sleeps while others serve, and a signal that
another thread was given does not wake it: it would be noted, and the server go on.
"""

from __future__ import annotations

import signal
import socket


class Stopping:
    """Whether the process was told to stop. Made in the main thread, before what it is to stop."""

    def __init__(self) -> None:
        self._told = False
        self._woken, self._waking = socket.socketpair()
        self._waking.setblocking(False)
        # Written to at once, by whichever thread was interrupted.
        signal.set_wakeup_fd(self._waking.fileno(), warn_on_full_buffer=False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._tell)

    def wait(self) -> None:
        """Return when the process was told to stop, maybe before this was called; in the main thread."""
        while not self._told:
            self._woken.recv(64)

    def _tell(self, _number: int, _frame: object) -> None:
        self._told = True
