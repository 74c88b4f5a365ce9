"""Points that come one by one, each with its own metric, attributes and time."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

from kubestray.model.errors import MalformedRequest
from kubestray.model.metric import Kind
from kubestray.receive.catalog import Catalog, Encoded, Reason, Rejected
from kubestray.receive.points import Gathering

_LATEST = 2**64 - 1


def millisecond_now() -> int:
    """Return the clock in nanoseconds, at a whole millisecond."""
    return time.time_ns() // 10**6 * 10**6


@dataclass(slots=True)
class SinglePoints:
    """Where the points of one request go; times are nanoseconds, of any size.

    ``protocol`` keeps the encoded attributes of one protocol apart from those of others in the cache: it
    stands where OTLP has the one piece, or none, of its resource.
    """

    protocol: tuple[bytes, bytes]
    catalog: Catalog
    gathering: Gathering
    now: int = field(default_factory=millisecond_now)
    """The time of points that have none."""

    def expect(self) -> None:
        """Announce a point; raises MalformedRequest if the request gets too many."""
        self.gathering.expected += 1
        if self.gathering.expected > self.catalog.limits.max_data_points:
            raise MalformedRequest(f"more than {self.catalog.limits.max_data_points} data points")

    def take(self, metric: str, kind: Kind, attributes: Encoded, time: int, value: float) -> None:
        """Take a point, or count why it may not be stored."""
        gathering = self.gathering
        try:
            if not 0 <= time <= _LATEST:
                raise Rejected(Reason.TOO_FAR_IN_FUTURE if time > 0 else Reason.OLDER_THAN_RETENTION)
            series = self.catalog.find((self.protocol, metric, "", kind, attributes))
        except Rejected as rejected:
            gathering.rejected[rejected.reason] += 1
            return
        gathering.add(series, time, 0, value)

    def reject(self, reason: Reason) -> None:
        """Count a point that may not be stored."""
        self.gathering.rejected[reason] += 1
