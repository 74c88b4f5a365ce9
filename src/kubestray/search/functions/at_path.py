"""``spath()``: what is at a path in JSON or XML."""

from __future__ import annotations

from kubestray.search.by_text import fields_by_text
from kubestray.search.functions.base import BadArgument, Scope, literal_text
from kubestray.search.functions.json_paths import BadPath, Path, is_single, path, several, single
from kubestray.search.functions.json_values import document, native, unquoted
from kubestray.search.syntax import Call
from kubestray.search.values import NULL, Shape, Value, choose, present
from kubestray.search.xml_text import at_path, read_xml
from kubestray.store.trees import call, column, lambda_

_FOUND = "found\x00"  # no field of a search is called so
_ATTRIBUTE = "{@"  # only paths in XML have it


def spath(expression: Call, scope: Scope) -> Value:
    """Return what is at a path; several values where it has a ``{}``, or elements of the same name."""
    over, where = expression.arguments
    written = literal_text(scope.value(where), 1, "a path")
    value = scope.hold(scope.value(over))
    if _ATTRIBUTE not in written:
        in_json = _in_json(value, _steps(written))
    elif scope.per_value:
        raise BadArgument(1, "an attribute of XML is taken for each row, not for each value; use mvexpand")
    else:
        in_json = NULL
    in_xml = None if scope.per_value else _in_xml(value, written, expression.at, scope)
    return in_json if in_xml is None else choose([(present(in_xml), in_xml)], in_json)


def _steps(written: str) -> Path:
    try:
        return path(written)
    except BadPath as error:
        raise BadArgument(1, str(error)) from error


def _in_json(value: Value, steps: Path) -> Value:
    own = document(value)
    if is_single(steps):
        return native(single(own, steps))
    return Value(Shape.MULTI, call("arrayMap", lambda_("x", unquoted(column("x"))), several(own, steps)))


def _in_xml(value: Value, written: str, at: int, scope: Scope) -> Value | None:
    """Return what is at the path in texts that are XML, None if nothing is in any of them."""
    ours = scope.relation

    def found(text: str) -> dict[str, list[str]]:
        values = at_path(read_xml(text), written)
        return {_FOUND: values} if values else {}

    joined = fields_by_text(ours.with_fields({}), value, "<", found, scope.context, at)
    scope.relation = joined.with_fields(ours.fields)
    return joined.value(_FOUND)
