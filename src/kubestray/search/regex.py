"""Regular expressions: Splunk's are PCRE, the engine's RE2. What RE2 lacks is told, never guessed.

RE2 has no look-around, no back-references and no possessive matching; in exchange its time is bounded
whatever the pattern, which matters where patterns meet text that attackers write. What it writes in another
way than PCRE is written so for it.
"""

from __future__ import annotations

import re

_LACKING = (
    (re.compile(r"\(\?<?[=!]"), "look-ahead and look-behind are not supported"),
    (re.compile(r"\(\?>"), "atomic groups are not supported"),
    (re.compile(r"\(\?[a-wyzA-Z]*x[a-zA-Z]*[:)]"), "the flag x is not supported"),
    (re.compile(r"\(\?(?:R|&|P>|\d|\()"), "recursion and conditions are not supported"),
    (re.compile(r"\\[1-9]"), "back-references inside the expression are not supported"),
    (re.compile(r"\\[KGX]"), "\\K, \\G and \\X are not supported"),
    (re.compile(r"[*+?}]\+"), "possessive matching is not supported"),
)
_TOKEN = re.compile(
    r"\\Q.*?(?:\\E|$)|\(\?#[^)]*\)|\\[pPx]\{[^{}]*\}|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]])*\]|.", re.DOTALL
)
_CHARACTER = ("[", r"\Q", r"\p{", r"\P{", r"\x{")
_COUNT = re.compile(r"\{(\d+)(?:,(\d*))?\}")
_MOST = 1000  # repetitions that RE2 counts
_INSTEAD = {
    r"\h": r"[ \t]",
    r"\H": r"[^ \t]",
    r"\R": r"(?:\r\n|\n|\r)",
    r"\Z": r"(?:\n?\z)",
    r"\_": "_",
}
"""How RE2 writes what is written otherwise in PCRE."""
_ONLY_RE2 = re.compile(r"\\Q.*?(?:\\E|$)|\\\\|\\[pP](?:\{\^?\w+\}|\w)|\\x\{[0-9A-Fa-f]+\}|\\z", re.DOTALL)
_IN_CLASS = {r"\h": r" \t", r"\_": "_"}


class BadRegex(ValueError):
    """A regular expression that is wrong, or that the engine cannot run."""


def engine_regex(regex: str) -> str:
    """Return the expression for the engine; raise `BadRegex` if it cannot run it.

    ``.`` does not match a line's end unless the expression says ``(?s)``.
    """
    tokens = _TOKEN.findall(regex)
    plain = "".join("x" if token.startswith(_CHARACTER) else token for token in tokens)
    for lacking, message in _LACKING:
        if lacking.search(plain.replace(r"\\", "")):
            raise BadRegex(message)
    if any(int(count or 0) > _MOST for pair in _COUNT.findall(plain) for count in pair):
        raise BadRegex(f"counts above {_MOST} are not supported")
    named = re.sub(r"\(\?<(?![=!])", "(?P<", "".join(map(_for_engine, tokens)))
    group_count(named)
    return f"(?-s){named}"


def group_count(regex: str) -> int:
    """Return how many groups an expression for the engine has; raise `BadRegex` if it is none."""
    try:
        return re.compile(_for_python(regex)).groups
    except re.error as error:
        raise BadRegex(f"not a regular expression: {error}") from error


def _for_engine(token: str) -> str:
    if token.startswith("(?#"):
        return ""
    if token.startswith("["):
        return re.sub(r"\\.", lambda found: _IN_CLASS.get(found[0], found[0]), token)
    return _INSTEAD.get(token, token)


def _for_python(regex: str) -> str:
    """Return an expression that Python can check, without what it writes otherwise than RE2."""
    known = _ONLY_RE2.sub(lambda found: found[0] if found[0] == r"\\" else "a", regex)
    return re.sub(r"\[:\w+:\]", "a", re.sub(r"\(\?[a-zA-Z-]+\)", "", known))
