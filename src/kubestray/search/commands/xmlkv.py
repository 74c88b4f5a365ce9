"""``xmlkv [FIELD]`` takes fields out of XML: each element that holds only text, under its own name.

The field is ``_raw`` unless given. Of elements of the same name the last one counts. ``maxinputs`` changes
nothing.

Example::

    | xmlkv
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kubestray.search.by_text import fields_by_text
from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.xml_text import read_xml, value_of


@dataclass(frozen=True, slots=True)
class XmlKv(Command):
    """The ``xmlkv`` command."""

    field: str


def parse(cursor: Cursor, at: int) -> XmlKv:
    """Read the field."""
    options: dict[str, str] = {}
    read_options(cursor, ["maxinputs"], options)
    field = cursor.field("with XML") if cursor.at_field() else "_raw"
    read_options(cursor, ["maxinputs"], options)
    return XmlKv(at, field)


def plan(command: XmlKv, relation: Relation, context: Context) -> Relation:
    """Read the texts, and add the fields."""
    value = relation.value(command.field)
    if value is None:
        return relation
    return fields_by_text(relation, value, "", _pairs, context, command.at)


def _pairs(text: str) -> Mapping[str, str]:
    top = read_xml(text)
    single = (element for element in top.iter() if element is not top and not len(element))
    return {element.tag: value for element in single if (value := value_of(element))}
