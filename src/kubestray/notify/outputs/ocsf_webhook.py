"""OCSF Detection Findings (1.5, class 2004) to a URL, one POST a change.

``metadata.uid`` is the key of the change, as is the header ``Idempotency-Key``; ``finding_info.uid`` that of
the finding or incident.
"""

from __future__ import annotations

from kubestray.notify import ocsf
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice


class OcsfWebhook(HttpOutput):
    """Posts each change."""

    announces = False

    def body(self, notice: Notice) -> Body:
        """Return one event."""
        return payload(notice)


def payload(notice: Notice) -> Body:
    """Return the event and its headers."""
    return ocsf.line(notice), {**JSON, "Idempotency-Key": notice.uid}
