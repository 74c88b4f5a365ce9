"""Subsearches whose result becomes part of the search around them: run first, written as text, read again.

The text is what ``format`` writes: ``( ( host="a" AND user="b" ) OR ( … ) )``, with every name and value
quoted, so that no value can change more than what it is compared with. A field called ``search`` or
``query`` (``return`` makes one) is taken as it is.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from kubestray.model.errors import SearchError
from kubestray.search.clauses import clause as read_clause
from kubestray.search.clauses import listed
from kubestray.search.cursor import Cursor
from kubestray.search.expressions import expression as read_expression
from kubestray.search.relation import Context
from kubestray.search.source import Source
from kubestray.search.syntax import Clause, Expression, Junction, Negation, Pipeline, Subsearch, Term, TermIn
from kubestray.search.truncation import MOST_IN_CLAUSES, cut

Row = Mapping[str, Any]
T = TypeVar("T")

_BARE_NAME = re.compile(r"[A-Za-z_][\w.:{}@-]*")
_AS_IT_IS = ("search", "query")


@dataclass(frozen=True, slots=True)
class Style:
    """What ``format`` puts around and between rows and columns, between values, and for no rows."""

    row_prefix: str = "("
    column_prefix: str = "("
    column_separator: str = "AND"
    column_end: str = ")"
    row_separator: str = "OR"
    row_end: str = ")"
    between_values: str = "OR"
    empty: str = "NOT ( )"


def formatted(rows: Sequence[Row], style: Style | None = None, *, name_mark: str = '"') -> str:
    """Return rows as one text; internal fields (``_time``) and null ones are left out."""
    style = style or Style()
    written = [text for row in rows if (text := _row(row, style, name_mark))]
    if not written:
        return style.empty
    lines = [f"{style.column_prefix} {text} {style.column_end}" for text in written]
    return f"{style.row_prefix} {f' {style.row_separator} '.join(lines)} {style.row_end}"


def _row(row: Row, style: Style, name_mark: str) -> str:
    columns = [_column(name, row[name], style, name_mark) for name in sorted(row) if not name.startswith("_")]
    return f" {style.column_separator} ".join(column for column in columns if column)


def _column(name: str, value: Any, style: Style, name_mark: str) -> str:
    values = [_shown(item) for item in (value if isinstance(value, list) else [value])]
    if name in _AS_IT_IS:
        return values[0]
    pairs = [f"{quoted_name(name, name_mark)}={quoted(item)}" for item in values]
    return pairs[0] if len(pairs) == 1 else f"( {f' {style.between_values} '.join(pairs)} )"


def _shown(value: Any) -> str:
    return value if isinstance(value, str) else str(value)


def quoted(value: str, mark: str = '"') -> str:
    """Return a text in quotes, in the way that the parser reads back."""
    escaped = value.replace("\\", "\\\\").replace(mark, f"\\{mark}")
    return f"{mark}{escaped}{mark}"


def quoted_name(name: str, mark: str = '"') -> str:
    """Return a field's name, in quotes where it needs them."""
    plain = _BARE_NAME.fullmatch(name) if mark == '"' else re.fullmatch(r"[A-Za-z_]\w*", name)
    return name if plain else quoted(name, mark)


def resolved(clause: Clause, context: Context) -> Clause:
    """Return a clause with its subsearches run and their results in their places."""
    match clause:
        case Junction():
            parts = tuple(resolved(part, context) for part in clause.operands)
            return Junction(clause.at, clause.operator, parts)
        case Negation():
            return Negation(clause.at, resolved(clause.operand, context))
        case Term(value=Subsearch() as inner):
            return Term(clause.at, clause.field, clause.operator, _value(inner, context), clause.cased)
        case TermIn(subsearches=(_, *_)):
            more = [_read(_text(_rows(each, context)), listed, each, context) for each in clause.subsearches]
            return TermIn(clause.at, clause.field, (*clause.values, *(v for values in more for v in values)))
        case Subsearch():
            return _clause(clause, context)
    return clause


def resolved_expression(node: Subsearch, context: Context) -> Expression:
    """Return the expression that the result of a subsearch is."""
    text = _text(_rows(node, context), name_mark="'")
    return _read(text, read_expression, node, context)


def _clause(node: Subsearch, context: Context) -> Clause:
    rows = _rows(node, context)
    fields = {name for row in rows for name in row if not name.startswith("_")}
    if len(fields) == 1 and not fields & set(_AS_IT_IS):
        (name,) = fields
        return TermIn(node.at, name, tuple(dict.fromkeys(_values(rows, name))))
    text = _text(rows)
    if not text.strip():
        return _everything(node)
    if re.fullmatch(r"NOT\s*\(\s*\)", text.strip()):
        return Negation(node.at, _everything(node))
    return _read(text, read_clause, node, context)


def _everything(node: Subsearch) -> Clause:
    return Junction(node.at, "and", ())


def _values(rows: Sequence[Row], name: str) -> list[str]:
    found = [row[name] for row in rows if name in row]
    return [_shown(item) for value in found for item in (value if isinstance(value, list) else [value])]


def _text(rows: Sequence[Row], *, name_mark: str = '"') -> str:
    """Return what a subsearch stands for; a single ``search`` field without brackets around it."""
    if len(rows) == 1 and (only := [name for name in _AS_IT_IS if name in rows[0]]):
        named = [name for name in rows[0] if not name.startswith("_")]
        if len(named) == 1:
            return _column(only[0], rows[0][only[0]], Style(), name_mark)
    return formatted(rows, name_mark=name_mark)


def _value(node: Subsearch, context: Context) -> str:
    """Return the result of a subsearch as a single value."""
    text = _text(_rows(node, context)).strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] == '"' else text


def _rows(node: Subsearch, context: Context) -> list[dict[str, Any]]:
    relation = context.subsearch(node.pipeline)
    return context.discover(cut(relation, context, MOST_IN_CLAUSES, "a subsearch in a clause"))


def _read(text: str, read: Callable[[Cursor], T], node: Subsearch, context: Context) -> T:
    cursor = Cursor(Source(text, []), _no_nesting)  # no macros: a value may hold backticks
    try:
        found = read(cursor)
        if not cursor.at_end():
            raise cursor.error(f"found {cursor.found()} after the end")
    except SearchError as error:
        message = f"the subsearch gives a text that cannot be read here: {error.message}: {text[:200]}"
        raise context.error(node.at, message, "return fields, or quote what $field returns") from error
    return found


def _no_nesting(cursor: Cursor) -> Pipeline:
    raise cursor.error("the result of a subsearch cannot hold another one")
