"""``regex [FIELD=|FIELD!=] "REGEX"`` keeps the rows in which a field matches, or does not.

Without a field it is ``_raw``. The expression may match any part of the text. A row without the field
matches nothing: ``!=`` keeps it. Of a multivalue field it is enough that one value matches.

Example::

    | regex k8s.pod.name!="^kube-"
"""

from __future__ import annotations

from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.plan import Filter
from kubestray.search.regex import BadRegex, engine_regex
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, any_value, as_list
from kubestray.store.trees import call, column, text


@dataclass(frozen=True, slots=True)
class Regex(Command):
    """The ``regex`` command."""

    field: str
    regex: str
    negated: bool


def parse(cursor: Cursor, at: int) -> Regex:
    """Read the field and the expression."""
    first = cursor.field("or a regular expression in quotes")
    operator = cursor.match(r"!=|==?")
    if not operator:
        return Regex(at, "_raw", first, negated=False)
    regex = cursor.quoted()
    if regex is None:
        found = cursor.match(r"[^\s|\]]+")
        if not found:
            raise cursor.error(f"expected a regular expression, found {cursor.found()}")
        regex = found[0]
    return Regex(at, first, regex, operator[0] == "!=")


def plan(command: Regex, relation: Relation, context: Context) -> Relation:
    """Filter the rows."""
    try:
        wanted = text(engine_regex(command.regex))
    except BadRegex as error:
        raise context.error(command.at, f"regex: {error}") from error
    values = as_list(relation.value(command.field) or NULL)
    matched = any_value(values, call("match", column("x"), wanted))
    kept = call("not", matched) if command.negated else matched
    return relation.with_node(Filter(relation.node, kept))
