"""Lists what the `stray` of a search held back: alarms that the budget of their group did not allow, and
those of what happens every day.
"""

from __future__ import annotations

import dataclasses
from typing import Any

from kubestray.search import parser
from kubestray.search.commands.stray import first_stray
from kubestray.search.run import Query, Request, context_of, plan_pipeline
from kubestray.search.syntax import Pipeline


def held_back(request: Request, query: Query) -> list[dict[str, Any]] | None:
    """Return the rows of `stray` that were held back, as ``action=held`` gives them; None if the search holds
    none back.

    What follows `stray` is left out: it gathers alarms to results, and these are none.
    """
    context = context_of(request, query)
    pipeline = parser.parse(context.source)
    found = first_stray(pipeline)
    if found is None or (found[1].wish.alerts is None and not found[1].wish.familiar_days):
        return None
    place, command = found
    wish = command.wish
    question = dataclasses.replace(wish.question, annotate=False, held=True)
    asked = dataclasses.replace(command, wish=dataclasses.replace(wish, question=question))
    commands = (*pipeline.commands[:place], asked)
    relation = plan_pipeline(Pipeline(pipeline.at, commands), context, None)
    return context.discover(relation)
