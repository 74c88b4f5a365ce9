"""Who sends: a source has a token, a limit of its own, and perhaps the name of its cluster.

The source of a request is found by its token, and holds for what is done with the request after: it goes
along in the context, which threads that decode take over. So protocols need not know of it.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field, replace

from kubestray.receive.budget import SeriesBudget
from kubestray.receive.catalog import Limits
from kubestray.receive.otlp_layout import OtlpCache
from kubestray.receive.remote_write_samples import LabelCache, label_cache
from kubestray.receive.tally import Tally


@dataclass(frozen=True, slots=True)
class Source:
    """A sender, or several with one token; an empty token admits all.

    ``cluster`` is the `k8s.cluster.name` of series that come without one. Since it is part of what a series
    is, such a source remembers series apart from the others.
    """

    name: str
    token: str = field(repr=False)
    budget: SeriesBudget
    cluster: str = ""
    tally: Tally = field(default_factory=Tally)
    cache: OtlpCache = field(default_factory=OtlpCache)
    labels: LabelCache = field(default_factory=label_cache)

    def limits(self, limits: Limits) -> Limits:
        """Return limits with those of the source."""
        return replace(limits, budget=self.budget, cluster=self.cluster)


class Sources:
    """All sources there are."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.all = tuple(sources)

    def find(self, token: str | None) -> Source | None:
        """Return the source of a token; every token takes as long to compare."""
        given = (token or "").encode()
        same = [source for source in self.all if hmac.compare_digest(given, source.token.encode())]
        everybody = [source for source in self.all if not source.token]
        return next(iter([*same, *everybody]), None)


_current: ContextVar[Source | None] = ContextVar("source", default=None)


def now_from(source: Source | None) -> None:
    """Say whose request this is."""
    _current.set(source)


def source_now() -> Source | None:
    """Return whose request this is."""
    return _current.get()
