"""What is wrong with a request, in words for people: of what pydantic tells, which speaks of Python."""

from __future__ import annotations

from typing import Any

from kubestray.model.shown import shown

_EXPECTED = {
    "string": "a text",
    "int": "a whole number",
    "float": "a number",
    "bool": "true or false",
    "list": "a list",
    "dict": "an object",
    "model": "an object",
    "datetime": "a time such as 2026-11-28T13:16:10Z",
    "date": "a date such as 2026-11-28",
}
"""By what the types of pydantic's errors begin with: ``int_parsing``, ``int_type``, ``int_from_float``."""

_BOUNDS = {
    "greater_than_equal": "has to be at least {ge}",
    "greater_than": "has to be more than {gt}",
    "less_than_equal": "has to be at most {le}",
    "less_than": "has to be less than {lt}",
    "string_too_short": "has to have at least {min_length} characters",
    "string_too_long": "has to have at most {max_length} characters",
    "too_short": "has to have at least {min_length} entries",
    "too_long": "has to have at most {max_length} entries",
    "missing": "is missing",
    "finite_number": "expected a number that is neither infinite nor NaN",
    "string_pattern_mismatch": "is not of the form {pattern}",
    "json_invalid": "is no JSON: {error}",
}


def said(problem: dict[str, Any]) -> str:
    """Say where in a request something is wrong, and what, of one error of a `RequestValidationError`."""
    where = ".".join(str(part) for part in problem["loc"])
    return f"{where}: {_what(problem)}"


def _what(problem: dict[str, Any]) -> str:
    kind, context, value = problem["type"], problem.get("ctx", {}), problem.get("input")
    if kind in _BOUNDS:
        told = _BOUNDS[kind].format(**context)
        return told.replace(" 1 characters", " 1 character").replace(" 1 entries", " 1 entry")
    if kind in ("enum", "literal_error"):
        return f"expected {context['expected']}, not {shown(value)}"
    expected = _EXPECTED.get(kind.partition("_")[0])
    if expected is None:
        return str(problem["msg"])
    if expected == "an object" and isinstance(value, bytes | str) and problem["loc"] == ("body",):
        return "expected an object in JSON, with the header Content-Type: application/json"
    return f"expected {expected}, not {shown(value)}"
