"""``appendpipe [ COMMANDS ]`` runs commands on the rows there are and puts the result after them.

Example::

    | stats count BY host | appendpipe [ stats sum(count) AS count | eval host = "all" ]
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.stacking import stacked
from kubestray.search.syntax import Command, Pipeline


@dataclass(frozen=True, slots=True)
class AppendPipe(Command):
    """The ``appendpipe`` command."""

    body: Pipeline


def parse(cursor: Cursor, at: int) -> AppendPipe:
    """Read the commands."""
    cursor.match(r"run_in_preview\s*=\s*\w+")
    return AppendPipe(at, cursor.subsearch("to start the commands of appendpipe"))


def plan(command: AppendPipe, relation: Relation, context: Context) -> Relation:
    """Put the result after the rows."""
    return stacked([relation, context.continued(command.body, relation)], context)
