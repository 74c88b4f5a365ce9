"""``foreach PATTERN … [ COMMANDS ]`` runs commands once for each field whose name matches.

In the commands ``<<FIELD>>`` stands for the field's name, ``<<MATCHSTR>>`` for what the wildcards stood
for and ``<<MATCHSEG1>>`` … for what each of them did, also inside quoted texts. The commands are read
once and names are filled in afterwards, so no field name, whatever it holds, can change what they do.

Example::

    | foreach avg_* [ eval ratio_<<MATCHSTR>> = '<<MATCHSTR>>' / '<<FIELD>>' ]
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from kubestray.search.cursor import Cursor
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command, Pipeline, rewrite_text
from kubestray.search.wildcards import parts

_TOKEN = re.compile(r"<<(FIELD|MATCHSTR|MATCHSEG[1-3])>>")


@dataclass(frozen=True, slots=True)
class ForEach(Command):
    """The ``foreach`` command."""

    patterns: tuple[str, ...]
    body: Pipeline


def parse(cursor: Cursor, at: int) -> ForEach:
    """Read the patterns and the commands."""
    found = cursor.match(r"mode\s*=\s*(\w+)")
    if found and found[1].lower() != "multifield":
        raise cursor.error(f"foreach mode {found[1]!r} is not supported", hint="mode=multifield is")
    patterns: list[str] = []
    while not cursor.looking_at("["):
        patterns.append(cursor.field("or pattern to repeat for"))
        cursor.take(",")
    if not patterns:
        raise cursor.error("foreach needs a field or a pattern")
    return ForEach(at, tuple(patterns), cursor.subsearch("to start the commands of foreach"))


def plan(command: ForEach, relation: Relation, context: Context) -> Relation:
    """Run the commands for each field there is when the command starts."""
    names = list(relation.fields)
    for pattern in command.patterns:
        for name in names:
            found = parts(pattern, name)
            if found is not None:
                body = rewrite_text(command.body, _filling(name, found))
                relation = context.continued(body, relation)
    return relation


def _filling(name: str, found: tuple[str, ...]) -> Callable[[str], str]:
    """Return the replacement of the tokens for one field."""
    words = {"FIELD": name, "MATCHSTR": "".join(found)}
    words |= {f"MATCHSEG{index}": text for index, text in enumerate(found, 1)}
    return lambda text: _TOKEN.sub(lambda token: words.get(token[1], ""), text)
