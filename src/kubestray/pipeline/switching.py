"""What people have set of detections, kept in the store: every server of it acts on it.

A detection can be switched on or off, and a parameter of it can have another value than its default. Both are
put over the content in place, so that whoever holds it sees them.
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Hashable

from kubestray.config import Config
from kubestray.model.content import Content, MacroDefinition, Parameter, Search
from kubestray.model.errors import ContentError, UsageError
from kubestray.pipeline.needing import needs_of
from kubestray.store.documents import Documents

_KIND, _PARAMETER = "detection", "parameter"
_LOOK_EVERY = 10.0  # seconds
_VALUE = re.compile(r"[\w.+*/%:, -]{1,200}")
_NUMBER = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_SUM = re.compile(rf"{_NUMBER}(?:\s*[-+*/%]\s*{_NUMBER})*")


class Switches:
    """Puts what people have said of detections over what their files say."""

    def __init__(self, documents: Documents, content: Content) -> None:
        self._documents, self._content = documents, content
        self._written = {name: found.enabled for name, found in content.detections.items()}
        searches = (*content.detections.values(), *content.baselines.values())
        names = [one.name for search in searches for one in search.parameters]
        self._macros = {name: content.macros.get((name, 0)) for name in names}
        self._next = 0.0
        self._applied: Hashable | None = None

    def switch(self, name: str, *, enabled: bool) -> None:
        """Switch a detection on or off, from the next pass of the schedule on."""
        self._documents.put(_KIND, name, {"enabled": enabled})
        self.apply()

    def value(self, parameter: Parameter) -> str:
        """Return the value of a parameter that is in force."""
        macro = self._content.macros.get((parameter.name, 0))
        return macro.definition if macro else parameter.default

    def set(self, config: Config, search: Search, parameter: Parameter, value: str | None) -> None:
        """Give a parameter of a search another value; None takes it back to its default.

        Raises `UsageError` if the search could not run with it, or if it is no number (or several with signs
        between, such as ``5 * 1e6``) in place of one: a word would be the name of a field that no row has.
        """
        if value is None:
            self._documents.remove(_PARAMETER, parameter.name)
        else:
            self._check(config, search, parameter, value.strip())
            self._documents.put(_PARAMETER, parameter.name, {"value": value.strip()})
        self.apply()

    def _check(self, config: Config, search: Search, parameter: Parameter, value: str) -> None:
        if not _VALUE.fullmatch(value):
            raise UsageError(
                f"{parameter.name}: {value!r} is no value of a parameter; "
                "letters, digits, spaces and . + * / % : , - may be in it"
            )
        if _SUM.fullmatch(parameter.default) and not _SUM.fullmatch(value):
            unit = f" ({parameter.unit})" if parameter.unit else ""
            raise UsageError(
                f"{value!r} is no number for {parameter.name}{unit}; "
                f"write digits alone, such as {parameter.default}"
            )
        macros = {**self._content.macros, (parameter.name, 0): _macro(parameter.name, value)}
        try:
            needs_of(search, config, dataclasses.replace(self._content, macros=macros))
        except ContentError as error:
            raise UsageError(f"with {parameter.name} = {value} the search cannot run: {error}") from error

    def refresh(self) -> None:
        """Take over what other servers have written, now and then."""
        if time.monotonic() >= self._next:
            self._next = time.monotonic() + _LOOK_EVERY
            now = self._documents.changes()
            if now is None or now != self._applied:
                self.apply()

    def apply(self) -> None:
        """Take over what the store says."""
        # Looked at before reading: what is written meanwhile makes the next value another one.
        self._applied = self._documents.changes()
        said = self._documents.all(_KIND)
        for name, written in self._written.items():
            enabled = bool(said.get(name, {}).get("enabled", written))
            found = self._content.detections[name]
            if found.enabled != enabled:
                self._content.detections[name] = dataclasses.replace(found, enabled=enabled)
        values = self._documents.all(_PARAMETER) if self._macros else {}
        for name, macro in self._macros.items():
            chosen = _macro(name, values[name]["value"]) if name in values else macro
            if chosen:
                self._content.macros[name, 0] = chosen
            else:
                self._content.macros.pop((name, 0), None)


def _macro(name: str, value: str) -> MacroDefinition:
    return MacroDefinition(name, value, (), path="the console")
