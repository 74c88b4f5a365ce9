"""OCSF Detection Findings (1.5, class 2004) to a URL, one POST a change.

``metadata.uid`` is the key of the change, as is the header ``Idempotency-Key``; ``finding_info.uid`` that of
the finding or incident.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kubestray.notify import ocsf
from kubestray.notify.http import HTTP_KEYS, Client
from kubestray.notify.notice import Notice
from kubestray.notify.output import Output


class OcsfWebhook(Output):
    """Posts each change."""

    keys = HTTP_KEYS
    announces = False

    def __init__(self, name: str, values: Mapping[str, Any]) -> None:
        super().__init__(name, values)
        self._client = Client(values)

    @property
    def where(self) -> str:
        """The receiver's scheme, host and port."""
        return self._client.where

    def deliver(self, notice: Notice) -> None:
        """Post one event."""
        self._client.post(self._client.url(), *payload(notice))

    def stop(self) -> None:
        """End what is under way."""
        self._client.stop()


def payload(notice: Notice) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers."""
    return ocsf.line(notice), {"Content-Type": "application/json", "Idempotency-Key": notice.uid}
