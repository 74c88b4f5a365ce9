"""Regular expressions: Splunk's are PCRE, the engine's RE2. What RE2 lacks is told, never guessed.

RE2 has no look-around, no back-references and no possessive matching; in exchange its time is bounded
whatever the pattern, which matters where patterns meet text that attackers write.
"""

from __future__ import annotations

import re

_LACKING = (
    (re.compile(r"\(\?<?[=!]"), "look-ahead and look-behind are not supported"),
    (re.compile(r"\(\?>"), "atomic groups are not supported"),
    (re.compile(r"\\[1-9]"), "back-references inside the expression are not supported"),
    (re.compile(r"[*+?}]\+"), "possessive matching is not supported"),
)
_TOKEN = re.compile(r"\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]])*\]|.", re.DOTALL)


class BadRegex(ValueError):
    """A regular expression that is wrong, or that the engine cannot run."""


def engine_regex(regex: str) -> str:
    """Return the expression for the engine; raise `BadRegex` if it cannot run it.

    ``.`` does not match a line's end unless the expression says ``(?s)``.
    """
    plain = "".join(token if not token.startswith("[") else "x" for token in _TOKEN.findall(regex))
    for lacking, message in _LACKING:
        if lacking.search(plain.replace(r"\\", "")):
            raise BadRegex(message)
    named = re.sub(r"\(\?<(?![=!])", "(?P<", regex)
    try:
        re.compile(_for_python(named))
    except re.error as error:
        raise BadRegex(f"not a regular expression: {error}") from error
    return f"(?-s){named}"


def _for_python(regex: str) -> str:
    """Return an expression that Python can check, which knows no flags in the middle or POSIX classes."""
    return re.sub(r"\[:\w+:\]", "a", re.sub(r"\(\?[a-zA-Z-]+\)", "", regex))
