"""Whether the data that searches need arrives: what `doctor` says, kept for a minute."""

from __future__ import annotations

from kubestray.api.remembering import remembered
from kubestray.model.content import Search
from kubestray.model.errors import ContentError
from kubestray.pipeline.diagnosing import Diagnosis, Sort, arrived, broken, diagnose
from kubestray.pipeline.needing import Need, needs_of
from kubestray.pipeline.running import Running
from kubestray.store.points import Span

_KEEP = 60.0  # seconds
_LOOK_BACK = 3600 * 10**9


def sorts_of(running: Running) -> list[Sort]:
    """Return what sorts of series sent points in the last hour."""

    def ask() -> list[Sort]:
        now = running.clock()
        return arrived(running.store, Span(now - _LOOK_BACK, now), running.limits)

    return remembered(running, "arrived", _KEEP, ask)


def diagnoses(running: Running, searches: list[Search]) -> dict[str, Diagnosis]:
    """Return what each search needs and what of it arrived, by name."""
    sorts = sorts_of(running)
    return {search.name: _diagnosis(running, search, sorts) for search in searches}


def needs(running: Running, search: Search) -> list[Need]:
    """Return what each step of a search that reads metrics needs; nothing of one that cannot run."""
    found = _needs(running, search)
    return [] if isinstance(found, str) else found


def _needs(running: Running, search: Search) -> list[Need] | str:
    # What a search needs does not change while the server runs, and takes longest to find out.
    known: dict[str, list[Need] | str] = running.kept.setdefault("needs", {})
    if search.name not in known:
        try:
            known[search.name] = needs_of(search, running.config, running.content)
        except ContentError as error:
            known[search.name] = str(error)
    return known[search.name]


def _diagnosis(running: Running, search: Search, sorts: list[Sort]) -> Diagnosis:
    found = _needs(running, search)
    if isinstance(found, str):
        return broken(search, found, running.registry)
    return diagnose(search, found, sorts, running.registry)
