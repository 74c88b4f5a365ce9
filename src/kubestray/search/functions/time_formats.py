"""Formats of times: their directives, and the regular expressions that read what they write."""

from __future__ import annotations

import re

from kubestray.search.functions.base import BadArgument

DIRECTIVES = r"%(?:Ez|-?[A-Za-z+%]|[1-9][NQf]|:{1,3}[zZ])|[^%]+|%"
"""A directive, or what stands between directives; whatever else begins with % is no directive."""

COMPOSED = {
    "%c": "%a %b %e %H:%M:%S %Y", "%+": "%a %b %e %H:%M:%S %Z %Y", "%x": "%-m/%-d/%Y", "%X": "%-H:%M:%S",
    "%D": "%m/%d/%y", "%F": "%Y-%m-%d", "%T": "%H:%M:%S", "%R": "%H:%M", "%r": "%I:%M:%S %p",
}  # fmt: skip
"""Directives that stand for several; those of the locale as Splunk's manual shows them."""

_MONTH = (
    r"((?i:jan(?:uary)?|feb(?:ruary)?|mar(?:ch)?|apr(?:il)?|may|june?|july?|aug(?:ust)?|sep(?:t(?:ember)?)?"
    r"|oct(?:ober)?|nov(?:ember)?|dec(?:ember)?))"
)
_WEEKDAY = (
    r"(?i:sun(?:day)?|mon(?:day)?|tue(?:s(?:day)?)?|wed(?:nesday)?|thu(?:r(?:s(?:day)?)?)?|fri(?:day)?"
    r"|sat(?:urday)?)"
)
_TWO = r"\s*(\d{1,2})"
_HALF = r"\s*(?i:([ap])\.?m\.?)"
_AHEAD = r"[+-]\d{1,2}(?::?\d{2}(?::?\d{2})?)?"
_OFFSET = rf"\s*([Zz]|{_AHEAD})"
_ZONE = rf"\s*([A-Za-z]{{1,5}}(?:{_AHEAD})?|{_AHEAD})"

READ = {
    "%Y": ("year", r"\s*(\d{4})"), "%y": ("short_year", _TWO), "%m": ("month", _TWO), "%b": ("month", _MONTH),
    "%B": ("month", _MONTH), "%h": ("month", _MONTH), "%d": ("day", _TWO), "%e": ("day", _TWO),
    "%j": ("day_of_year", r"\s*(\d{1,3})"), "%H": ("hour", _TWO), "%k": ("hour", _TWO), "%I": ("half_hour", _TWO),
    "%l": ("half_hour", _TWO), "%M": ("minute", _TWO), "%S": ("second", _TWO), "%p": ("half", _HALF),
    "%P": ("half", _HALF), "%s": ("epoch", r"\s*([+-]?\d+(?:\.\d+)?)"), "%z": ("zone", _OFFSET),
    "%:z": ("zone", _OFFSET), "%::z": ("zone", _OFFSET), "%:::z": ("zone", _OFFSET), "%Z": ("zone", _ZONE),
    "%:Z": ("zone", _ZONE), "%Ez": ("zone_minutes", r"\s*([+-]?\d{1,4})"),
    # The date says which day of which week it is.
    "%a": ("", _WEEKDAY), "%A": ("", _WEEKDAY), "%u": ("", "[1-7]"), "%w": ("", "[0-7]"), "%U": ("", r"\s*\d{1,2}"),
    "%V": ("", r"\s*\d{1,2}"), "%W": ("", r"\s*\d{1,2}"), "%n": ("", r"\s*"), "%t": ("", r"\s*"), "%%": ("", "%"),
}  # fmt: skip
"""The parts of a time that a token of a format reads, and the expression whose groups they are."""

for _digits, _letter in ((d, letter) for d in ("", *"123456789") for letter in "NQf"):
    _many, _fraction = _digits or "9", f"%{_digits}{_letter}"
    READ[_fraction] = ("fraction", rf"(\d{{1,{_many}}})\d*")
    READ["." + _fraction] = ("fraction", rf"(?:\.(\d{{1,{_many}}})\d*)?")
    READ["," + _fraction] = ("fraction", rf"(?:,(\d{{1,{_many}}})\d*)?")
    # Milliseconds since the epoch: the last digits are the fraction.
    _exactly = _digits or {"N": "9", "Q": "3", "f": "6"}[_letter]
    READ["%s" + _fraction] = ("epoch fraction", rf"\s*([+-]?\d+)(\d{{{_exactly}}})")

READABLE = {composed: meaning.replace("%-", "%") for composed, meaning in COMPOSED.items()}
"""What composed directives stand for when they are read: digits may be missing anyway."""

SIGNS = r"[\\.+*?()|\[\]{}^$]"
"""What stands for something else in a regular expression."""

PIECES = rf"%s%[1-9]?[NQf]|[.,]%[1-9]?[NQf]|{DIRECTIVES.partition('|[^%]')[0]}|\s+|[^%\s.,]+|[.,%]"
"""What is read at once: a directive, a fraction with the point before it, or what stands between them."""


def flat(layout: str) -> str:
    """Return a format without composed directives."""
    return "".join(COMPOSED.get(token, token) for token in re.findall(DIRECTIVES, layout))


def compiled(layout: str) -> tuple[list[str], str]:
    """Return the parts that a format names, in the order of their groups, and its regular expression.

    Raise `BadArgument` for a directive that nothing can be read with.
    """
    names: list[str] = []
    pattern = r"^\s*"
    tokens = [re.sub("^%-", "%", token) for token in re.findall(DIRECTIVES, layout)]
    for piece in re.findall(PIECES, "".join(READABLE.get(token, token) for token in tokens)):
        if piece in READ:
            read, expression = READ[piece]
            names += read.split()
            pattern += expression
        elif piece.isspace():
            pattern += r"\s*"
        elif piece.startswith("%") and len(piece) > 1:
            raise BadArgument(1, f"the format {piece} cannot be read back")
        else:
            pattern += re.sub(SIGNS, r"\\\g<0>", piece)
    return names, pattern
