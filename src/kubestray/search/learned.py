"""What searches with `stray` have learned, for people who look into it: where it is kept."""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search import parser
from kubestray.search.commands.stray import first_stray
from kubestray.search.run import Query, Request, before_of, context_of
from kubestray.search.straying import Wish, identity, subject


@dataclass(frozen=True, slots=True)
class Learning:
    """A `stray` command of a search: ``of`` is what its profile is kept under, ``about`` what orders about
    it go by.
    """

    of: str
    about: str
    wish: Wish


def learning(request: Request, query: Query) -> Learning | None:
    """Return what a search learns; None if it has no `stray`. Nothing of the search is run."""
    context = context_of(request, query)
    pipeline = parser.parse(context.source)
    found = first_stray(pipeline)
    if found is None:
        return None
    place, command = found
    context.before = before_of(pipeline, place, None, context)
    wish = command.wish
    return Learning(identity(wish, context), subject(wish, context), wish)
