"""The script that draws charts: Vega, Vega-Lite and Vega-Embed, from the package that makes pictures too."""

from __future__ import annotations

import gzip
import threading
from functools import cache
from importlib.metadata import version

from starlette.requests import Request
from starlette.responses import Response

_making = threading.Lock()
_EXPORT = "window.vegaEmbed = vegaEmbed;"


def chart_script(request: Request) -> Response:
    """Answer with the script. It is put together once, which takes some seconds."""
    with _making:
        script, packed = _script()
    headers = {"Cache-Control": "public, max-age=31536000, immutable", "Vary": "Accept-Encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(packed, 200, {**headers, "Content-Encoding": "gzip"}, "text/javascript")
    return Response(script, 200, headers, "text/javascript")


@cache
def _script() -> tuple[bytes, bytes]:
    import vl_convert  # it holds a JavaScript engine, which a server without visitors need not load

    script = vl_convert.javascript_bundle(_EXPORT).encode()
    return script, gzip.compress(script, 6)


def script_address() -> str:
    """Return the address of the script, which changes with the package."""
    return f"/static/charts.js?v={version('vl-convert-python')}"
