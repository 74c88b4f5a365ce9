"""What bodies of requests are made of: models that refuse a field they do not know."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, model_validator
from pydantic_core import PydanticCustomError

from kubestray.search.nearest import nearest

UNKNOWN_FIELD = "unknown_field"
"""The type of the error that a body has a field that nothing knows."""


class Body(BaseModel):
    """A body, or a part of one. A misspelt field is an error, and is not taken for one that was left out."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _known(cls, given: Any) -> Any:
        if not isinstance(given, dict):
            return given
        for name in given:
            if name not in cls.model_fields:
                known = ", ".join(cls.model_fields)
                hint = nearest(str(name), cls.model_fields) or f"there are {known}"
                raise PydanticCustomError(
                    UNKNOWN_FIELD,
                    "there is no field {name}; {hint}",
                    {"name": repr(str(name)[:80]), "hint": hint},
                )
        return given
