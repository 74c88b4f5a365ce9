"""``xpath [outfield=NAME] "XPATH" [field=FIELD] [default=TEXT]`` takes out of XML what is at a path.

The result is called ``xpath`` unless ``outfield`` names it; it has several values where the path leads to
several places. The field is ``_raw`` unless given. Where there is nothing it is ``default``, if that is
given. Of XPath there are ``/`` and ``//``, ``*``, ``[2]``, ``[@name='x']``, ``[child='x']``, and ``@name`` or
``text()`` at the end.

Example::

    | xpath outfield=name "//user/@name"
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from xml.etree import ElementTree

from kubestray.search.by_text import fields_by_text
from kubestray.search.cursor import Cursor
from kubestray.search.options import read_options
from kubestray.search.relation import Context, Relation
from kubestray.search.syntax import Command
from kubestray.search.values import NULL, Shape, Value, choose, present
from kubestray.search.xml_text import read_xml, value_of
from kubestray.store.trees import call, text

_OPTIONS = ("outfield", "field", "default")
_END = re.compile(r"/(?:@([\w.:-]+)|text\(\))$")


@dataclass(frozen=True, slots=True)
class XPath(Command):
    """The ``xpath`` command; ``path`` is for elements, ``attribute`` what is taken of them."""

    path: str
    attribute: str | None
    field: str
    name: str
    default: str | None


def parse(cursor: Cursor, at: int) -> XPath:
    """Read the path and the options, in any order."""
    options: dict[str, str] = {}
    written: str | None = None
    while True:
        if read_options(cursor, _OPTIONS, options):
            continue
        if written is not None or (written := cursor.quoted()) is None:
            break
    if written is None:
        raise cursor.error("xpath needs a path in quotes", at)
    end = _END.search(written)
    path = written[: end.start()] if end else written
    path = f".{path}" if path.startswith("/") else f".//{path}"
    try:
        ElementTree.Element("top").findall(path)
    except (SyntaxError, KeyError, TypeError, ValueError) as error:
        raise cursor.error(f"{written!r} is no path that is known here: {error}", at) from error
    name = options.get("outfield", "xpath")
    return XPath(
        at, path, end[1] if end else None, options.get("field", "_raw"), name, options.get("default")
    )


def plan(command: XPath, relation: Relation, context: Context) -> Relation:
    """Read the texts, and add the field."""
    value = relation.value(command.field)
    if value is not None:

        def found(written: str) -> Mapping[str, list[str]]:
            values = _values(command, written)
            return {command.name: values} if values else {}

        relation = fields_by_text(relation, value, "<", found, context, command.at)
    if command.default is None:
        return relation
    own = relation.value(command.name) or NULL
    usual = Value(Shape.TEXT, call("toNullable", text(command.default)))
    filled = choose([(present(own), own)], usual)
    return relation.extended([(command.name, context.column(filled.shape), filled.tree)])


def _values(command: XPath, written: str) -> list[str]:
    elements = read_xml(written).findall(command.path)
    if command.attribute is not None:
        return [
            element.attrib[command.attribute] for element in elements if command.attribute in element.attrib
        ]
    return [value for value in map(value_of, elements) if value]
