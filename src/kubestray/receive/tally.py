"""What a receiver has seen since it started, for `doctor` and for the metrics page."""

from __future__ import annotations

import threading
from collections import Counter
from dataclasses import dataclass, field, replace

from kubestray.receive.points import Decoded


@dataclass(frozen=True, slots=True)
class Seen:
    """Counts since the start.

    ``requests`` were decoded, ``malformed`` were not (or had no text, or were too large);
    ``refused`` were decoded and not stored: the sender was told to come again. Data points are
    counted as OTLP counts them, and only when stored.
    """

    requests: int = 0
    malformed: int = 0
    refused: int = 0
    unauthorised: int = 0
    data_points: int = 0
    no_value: int = 0
    rejected: Counter[str] = field(default_factory=Counter)


class Tally:
    """Counts requests and points of one receiver; safe to share between threads."""

    def __init__(self) -> None:
        self._seen = Seen()
        self._lock = threading.Lock()

    def stored(self, decoded: Decoded) -> None:
        """Count a request whose points are stored."""
        with self._lock:
            seen = self._seen
            self._seen = replace(
                seen,
                requests=seen.requests + 1,
                data_points=seen.data_points + decoded.data_points,
                no_value=seen.no_value + decoded.no_value,
                rejected=seen.rejected + decoded.rejected,
            )

    def malformed(self) -> None:
        """Count a request that could not be decoded."""
        with self._lock:
            self._seen = replace(self._seen, malformed=self._seen.malformed + 1)

    def refused(self) -> None:
        """Count a request that was decoded and could not be stored."""
        with self._lock:
            seen = self._seen
            self._seen = replace(seen, requests=seen.requests + 1, refused=seen.refused + 1)

    def unauthorised(self) -> None:
        """Count a request without a valid token."""
        with self._lock:
            self._seen = replace(self._seen, unauthorised=self._seen.unauthorised + 1)

    @property
    def seen(self) -> Seen:
        """The counts at this moment; never changed afterwards."""
        return self._seen
