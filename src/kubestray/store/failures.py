"""The engine's error text, told in our words."""

from __future__ import annotations

import re

from kubestray.model.errors import KubestrayError, LimitExceeded, StoreError

_CODE = re.compile(r"Code: (\d+)")

_LIMITS = {
    "159": "the search ran out of time; narrow its time range or raise --timeout",
    "160": "the search was estimated to run out of time; narrow its time range or raise --timeout",
    "241": "the search ran out of memory; narrow its time range or group by fewer fields",
    "396": "the result has more rows than allowed; aggregate, or raise the limit on rows",
    "394": "the search was cancelled",
}


def failure(text: str, url: str) -> KubestrayError:
    """Turn an engine's error message into the exception a caller should see."""
    code = _CODE.search(text)
    if code and code[1] in _LIMITS:
        return LimitExceeded(_LIMITS[code[1]])
    first_line = text.strip().splitlines()[0][:2000] if text.strip() else "no message"
    return StoreError(f"the store at {url} refused: {first_line}")
