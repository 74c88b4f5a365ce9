"""The search page."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query
from starlette.requests import Request
from starlette.responses import Response

from kubestray.api import search
from kubestray.api.asking import Here, Viewer
from kubestray.api.errors import Told, told_of
from kubestray.api.refusal import Refused
from kubestray.model.errors import KubestrayError
from kubestray.web.chart_script import script_address
from kubestray.web.render import page

router = APIRouter()

_WANTED, _SHOWN = 5_000, 500
"""Rows that a chart is made of, and that the table shows."""
Text = Annotated[str, Query(max_length=100_000)]
Time = Annotated[str, Query(max_length=64)]


@router.get("/search")
def search_page(
    request: Request,
    here: Here,
    asker: Viewer,
    text: Text = "",
    earliest: Time = "-24h",
    latest: Time = "",
    explain: bool = False,
) -> Response:
    """Show the editor; with a text, run it and show its rows and their chart, or what is wrong and where."""
    found, explained, told = None, None, None
    ask = search.Ask(text=text, earliest=earliest, latest=latest, rows=_WANTED)
    if text.strip():
        try:
            if explain:
                explained = search.explain(here, asker, ask)
            else:
                # An address can be a link on any page: only what our own page sends may write.
                ours = request.headers.get("sec-fetch-site") == "same-origin"
                found = search.run(here, asker, ask, writing=ours)
        except (KubestrayError, Refused) as error:
            told = told_of(error)[1]
    return page(
        request,
        "search.html",
        status=400 if told else 200,
        ask=ask,
        found=found,
        shown=_SHOWN,
        explained=explained,
        told=told,
        wrong=_wrong(text, told),
        history=search.history(here, asker, 20),
        script=script_address(),
    )


def _wrong(text: str, told: Told | None) -> tuple[str, str, str] | None:
    """Return the line that is wrong, cut in three: before the place, the word there, and after."""
    if told is None or told.place is None or told.place.path:
        return None
    lines = text.replace("\r\n", "\n").split("\n")
    if told.place.line > len(lines):
        return None
    line, start = lines[told.place.line - 1], told.place.column - 1
    end = start
    while end < len(line) and (line[end].isalnum() or line[end] in "_.:"):
        end += 1
    return line[:start], line[start : max(end, start + 1)] or " ", line[max(end, start + 1) :]
