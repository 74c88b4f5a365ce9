"""The part of a search before it joins other rows: where that gives nothing, the whole does not either.

Detections choose a few rows, mostly none, and then look up whose they are. The first part is a fraction of
the statement, and its plan is one that can be kept where that of the whole depends on the catalog. So a
search that runs again and again asks its first part first.

Before that it looks whether anything is new, where it joins only what is (`unseen`): that reads no points.
"""

from __future__ import annotations

from threading import Lock

from kubestray.search import parser
from kubestray.search.commands.join import Join
from kubestray.search.commands.unseen import Unseen
from kubestray.search.nothing import adds_nothing, name_of
from kubestray.search.source import Source
from kubestray.search.syntax import Pipeline

_CHOOSING = frozenset(("search", "where"))
_PAUSE = 10
"""For how many runs a first part that gave rows is not asked: it would likely be asked in vain."""


def first_part(source: Source) -> str | None:
    """Return the text of a search that gives a row if the part of a search before its first join gives any.

    None where nothing is chosen before a join, or where something may come of nothing.
    """
    commands = parser.parse(source).commands
    names = [name_of(command) for command in commands]
    if names[0] != "mstats" or "join" not in names or not adds_nothing(commands[1:]):
        return None
    place = names.index("join")
    if _CHOOSING.isdisjoint(names[:place]):
        return None
    return source.text[: commands[place].at].rstrip() + " head 1"


def news_needed(source: Source) -> tuple[Pipeline, ...]:
    """Return the subsearches that tell what is new; where one gives no row, the search gives none."""
    commands = parser.parse(source).commands
    if not adds_nothing(commands[1:]):
        return ()
    joined = [one.subsearch for one in commands if isinstance(one, Join) and not one.outer]
    return tuple(one for one in joined if any(isinstance(command, Unseen) for command in one.commands))


class FirstParts:
    """The first parts of searches that run again and again. Safe to use from several threads."""

    def __init__(self) -> None:
        self._parts: dict[str, str | None] = {}
        self._news: dict[str, tuple[Pipeline, ...]] = {}
        self._pauses: dict[str, int] = {}
        self._lock = Lock()

    def has_run(self, text: str) -> bool:
        """Return whether a search has been planned as a whole: only so all that is wrong with it is told."""
        return text in self._parts

    def ran(self, source: Source) -> None:
        """Take note of a search that was planned as a whole."""
        if source.text not in self._parts:
            self._news[source.text] = news_needed(source)
            self._parts[source.text] = first_part(source)

    def news(self, text: str) -> tuple[Pipeline, ...]:
        """Return the subsearches of a search that has run, each of which has to give rows."""
        return self._news.get(text, ())

    def due(self, text: str) -> str | None:
        """Return the first part of a search if it is to be asked."""
        with self._lock:
            pause = self._pauses.get(text, 0)
            self._pauses[text] = max(0, pause - 1)
        return None if pause else self._parts.get(text)

    def gave_rows(self, text: str) -> None:
        """Take note that there was no use in asking."""
        with self._lock:
            self._pauses[text] = _PAUSE
