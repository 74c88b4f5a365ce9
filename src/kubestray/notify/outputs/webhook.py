"""The finding or incident as it is (docs/findings.md), and what became of it, to a URL.

The body is ``{"change": …, "document": …}``; the change has ``id``, ``kind``, ``sequence``, ``time``,
``change``, whether it is the ``first`` that this URL hears of it, whether it has ``ended``, and whether it is
a ``test``.
The header ``Idempotency-Key`` is the key of the change.
"""

from __future__ import annotations

from kubestray.model.finding import rfc3339, written
from kubestray.notify.http_output import JSON, Body, HttpOutput
from kubestray.notify.notice import Notice


class Webhook(HttpOutput):
    """Posts each change."""

    announces = False

    def body(self, notice: Notice) -> Body:
        """Return the change and its document."""
        return payload(notice)


def payload(notice: Notice) -> Body:
    """Return the body and the headers."""
    one = notice.change
    change = {
        "id": one.id,
        "kind": one.kind,
        "sequence": one.sequence,
        "time": rfc3339(one.time),
        "change": one.change,
        "first": notice.first,
        "ended": notice.ended,
        "test": notice.test,
    }
    told = written({"change": change, "document": notice.document}).encode()
    return told, {**JSON, "Idempotency-Key": notice.uid}
