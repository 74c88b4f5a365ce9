"""The one shape that all errors of the API have, and which exception becomes which status."""

from __future__ import annotations

import logging
from typing import Any

from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from kubestray.api.refusal import Refused
from kubestray.api.wrong_values import said
from kubestray.model.errors import KubestrayError, LimitExceeded, SearchError, StoreError

logger = logging.getLogger(__name__)


class Place(BaseModel):
    """A place in the text of a search, both counted from 1."""

    line: int
    column: int
    path: str | None = None


class Told(BaseModel):
    """What went wrong, for programs (``code``) and for people."""

    code: str = Field(examples=["search"])
    message: str
    hint: str | None = None
    place: Place | None = Field(default=None, description="Where in the text of the search it is.")


class Problem(BaseModel):
    """Every answer of the API that is not a success."""

    error: Told


_CODES = {
    400: "bad_request",
    401: "login",
    403: "forbidden",
    404: "not_found",
    405: "method",
    413: "too_large",
    429: "busy",
}

ANSWERS: dict[int | str, dict[str, Any]] = {
    400: {"model": Problem, "description": "The request, or the text of a search, is wrong."},
    401: {"model": Problem, "description": "Nobody is logged in, and no valid token was given."},
    403: {"model": Problem, "description": "The role of the account does not allow it."},
    404: {"model": Problem, "description": "There is no such thing."},
    413: {"model": Problem, "description": "A search met its limit of time, memory or rows."},
    422: {
        "model": Problem,
        "description": "A parameter or the body is not of its type, or the body has an unknown field.",
    },
    429: {"model": Problem, "description": "Too much of this is under way, or was tried."},
    503: {"model": Problem, "description": "The store refused, or could not be reached."},
}
"""The errors that every operation can answer with, for OpenAPI."""


def told_of(error: Exception) -> tuple[int, Told]:
    """Return the status and the words for an exception."""
    if isinstance(error, Refused):
        return error.status, Told(code=error.code, message=error.message, hint=error.hint)
    if isinstance(error, SearchError):
        at = error.position
        place = Place(line=at.line, column=at.column, path=at.path) if at else None
        return 400, Told(code="search", message=error.message, hint=error.hint or None, place=place)
    if isinstance(error, LimitExceeded):
        return 413, Told(code="limit", message=str(error))
    if isinstance(error, StoreError):
        logger.error("the store failed: %s", error)
        return 503, Told(code="store", message=str(error), hint="try again; the log of the server says more")
    if isinstance(error, KubestrayError):
        return 400, Told(code="usage", message=str(error))
    if isinstance(error, RequestValidationError):
        return 422, Told(code="invalid", message="; ".join(map(said, error.errors())))
    if isinstance(error, HTTPException):
        return error.status_code, Told(code=_CODES.get(error.status_code, "error"), message=str(error.detail))
    return 500, Told(code="fault", message="the server failed at this; its log says more")


def as_json(_request: Request, error: Exception) -> Response:
    """Answer with an error as JSON."""
    status, told = told_of(error)
    headers = getattr(error, "headers", None)
    return JSONResponse(Problem(error=told).model_dump(exclude_none=True), status, headers)
