"""Content that says how risk adds up: factors and the scoring."""

from __future__ import annotations

from typing import Any

from kubestray.detect.layout import shown
from kubestray.detect.yaml_file import YamlFile
from kubestray.model.content import RiskFactor, RiskScoring
from kubestray.search.times import parse_duration

_SPANS = ("half_life", "window", "ramp", "quiet", "related")


def risk_factor(file: YamlFile) -> RiskFactor | None:
    """Read a risk factor; None if something is wrong with it, which the file then knows."""
    told = file.table("risk_factor")
    multiply = told.get("multiply")
    if not isinstance(multiply, int | float) or isinstance(multiply, bool) or multiply < 0:
        file.problem("risk_factor.multiply", f"expected a number from 0, found {shown(multiply)}")
        return None
    match = told.get("match")
    if not isinstance(match, dict) or not match:
        file.problem("risk_factor.match", "names no field", "write match: {k8s.namespace.name: [prod-*]}")
        return None
    wanted = tuple((str(name), _texts(value)) for name, value in match.items())
    name, description = file.text("name", required=True), file.text("description")
    return RiskFactor(name, description, wanted, float(multiply), file.path)


def risk_scoring(file: YamlFile) -> RiskScoring | None:
    """Read how risk adds up; None if something is wrong with it, which the file then knows."""
    told, before = file.table("risk_scoring"), len(file.problems)
    half_life, window, ramp, quiet, related = (_span(file, told, name) for name in _SPANS)
    cap, threshold = (_number(file, told, name) for name in ("cap", "threshold"))
    thresholds, shares = _table(file, told, "thresholds"), _table(file, told, "shares")
    name = file.text("name", required=True)
    if len(file.problems) > before:
        return None
    return RiskScoring(
        name, half_life, window, ramp, cap, threshold, thresholds, shares, quiet, related, file.path
    )


def _table(file: YamlFile, told: dict[str, Any], name: str) -> tuple[tuple[str, float], ...]:
    values = told.get(name) or {}
    return tuple((str(kind), _number(file, values, kind, name)) for kind in values)


def _span(file: YamlFile, told: dict[str, Any], name: str) -> int:
    span = parse_duration(str(told.get(name)))
    if not span or span < 0:
        file.problem(
            f"risk_scoring.{name}", f"expected a span of time such as 12h, found {shown(told.get(name))}"
        )
        return 0
    return span


def _number(file: YamlFile, told: dict[str, Any], name: str, table: str = "") -> float:
    value = told.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or value < 0:
        key = ".".join(filter(None, ("risk_scoring", table, name)))
        file.problem(key, f"expected a number from 0, found {shown(value)}")
        return 0.0
    return float(value)


def _texts(value: Any) -> tuple[str, ...]:
    return tuple(map(str, value if isinstance(value, list) else [value]))
