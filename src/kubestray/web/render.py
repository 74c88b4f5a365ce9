"""Templates, and the words they share: times, numbers, colours. Everything is escaped unless made here."""

from __future__ import annotations

import hashlib
import json
import re
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import jinja2
from markupsafe import Markup, escape
from starlette.requests import Request
from starlette.responses import HTMLResponse

from kubestray.api.asking import Asker, csrf_of
from kubestray.web.spl_colours import coloured

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
_BIDI = dict.fromkeys(map(ord, "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"), "\ufffd")
"""Characters that turn the direction of text around, and can make one name look like another."""


def page(request: Request, template: str, *, status: int = 200, **context: Any) -> HTMLResponse:
    """Render a template for whoever asks."""
    asker: Asker | None = getattr(request.state, "asker", None)
    theme = request.cookies.get("kubestray_theme")
    text = (
        _environment()
        .get_template(template)
        .render(
            asker=asker,
            csrf=csrf_of(request),
            path=request.url.path,
            theme=theme if theme in ("light", "dark") else "",
            **context,
        )
    )
    return HTMLResponse(text, status)


@cache
def _environment() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=plain,
    )
    made.filters |= {
        "when": when,
        "number": number,
        "exact": lambda value: f"{value:.12g}" if isinstance(value, float) else str(value),
        "seconds": seconds,
        "spl": coloured,
        "short": short,
        "breaking": breaking,
        "pretty": lambda value: json.dumps(value, indent=2, ensure_ascii=False),
        "segment": lambda value: quote(str(value), safe=""),
        "merged": lambda values, **more: {**values, **more},
        "verbatim": escape,
        "keys": lambda parts: urlencode({"key": parts}, doseq=True),
        "query": lambda values: urlencode({k: v for k, v in values.items() if v not in ("", None)}),
    }
    made.globals |= {"static": static}
    return made


def plain(value: Any) -> Any:
    """Take out of a text what changes the order of the characters around it."""
    return value.translate(_BIDI) if isinstance(value, str) and not isinstance(value, Markup) else value


@cache
def static(name: str) -> str:
    """Return the address of a static file, which changes with what is in it."""
    digest = hashlib.sha256((STATIC / name).read_bytes()).hexdigest()[:12]
    return f"/static/{name}?v={digest}"


def when(time: datetime | int | float | str | None, style: str = "full") -> Markup:
    """Return a time for people, which the page tells in the viewer's own zone.

    Numbers are epoch seconds, texts RFC 3339. ``style`` is ``full``, or ``ago``: how long ago it was.
    """
    if time is None:
        return Markup('<span class="muted">never</span>')
    if isinstance(time, str):
        time = datetime.fromisoformat(time)
    elif isinstance(time, int | float):
        time = datetime.fromtimestamp(time, UTC)
    time = time.astimezone(UTC)
    written = f"{time:%Y-%m-%d %H:%M:%S} UTC"
    iso = f"{time:%Y-%m-%dT%H:%M:%S}Z"
    return Markup('<time datetime="{}" data-style="{}">{}</time>').format(iso, style, written)


def number(value: float | None) -> str:
    """Return a number for people: short, with a letter for thousands and more."""
    if value is None:
        return "–"
    for size, letter in ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e4, "k")):
        if abs(value) >= size:
            return f"{value / (1e3 if letter == 'k' else size):.3g}{letter}"
    return f"{value:.4g}" if isinstance(value, float) and not value.is_integer() else f"{int(value):,}"


def seconds(value: float | None) -> str:
    """Return a length of time for people."""
    if value is None:
        return "–"
    if value < 1:
        return f"{value * 1000:.0f} ms"
    for size, unit in ((86_400, "d"), (3600, "h"), (60, "min")):
        if value >= 2 * size:
            return f"{value / size:.0f} {unit}"
    return f"{value:.1f} s"


def short(value: Any, most: int = 80) -> str:
    """Cut a text that is long; the whole belongs into a title."""
    text = str(value)
    return text if len(text) <= most else text[: most - 1] + "…"


def breaking(name: str) -> Markup:
    """Return a name that goes on in the next line after a ``/`` or ``-``, before a word of it is cut."""
    return Markup("<wbr>").join(_BETWEEN_WORDS.split(plain(name)))


_BETWEEN_WORDS = re.compile(r"(?<=[/-])(?=[^/-])")
