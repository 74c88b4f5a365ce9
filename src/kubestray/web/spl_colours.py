"""SPL with colours: commands, functions, words, texts, numbers, macros and comments told apart."""

from __future__ import annotations

import re

from markupsafe import Markup, escape

_TOKEN = re.compile(
    r"""(?P<comment>```.*?(?:```|\Z))
    |(?P<text>"(?:[^"\\]|\\.)*"?)
    |(?P<field>'(?:[^'\\]|\\.)*'?)
    |(?P<macro>`[^`]*`?)
    |(?P<pipe>[|\[]\s*)(?P<command>[A-Za-z]\w*)
    |(?P<function>[A-Za-z_]\w*(?=\())
    |(?P<word>\b(?:by|as|where|and|or|not|in|output|outputnew|over|like)\b)
    |(?P<number>(?<![\w.])-?\d[\w.]*)
    """,
    re.DOTALL | re.VERBOSE | re.IGNORECASE,
)


def coloured(text: str) -> Markup:
    """Return the text of a search as HTML with a class for each kind of word."""
    parts: list[Markup] = []
    end = 0
    for token in _TOKEN.finditer(text):
        parts.append(escape(text[end : token.start()]))
        if token["command"]:
            parts.append(escape(token["pipe"]))
            parts.append(_span("command", token["command"]))
        else:
            kind = str(token.lastgroup)
            parts.append(_span(kind, token[0]))
        end = token.end()
    parts.append(escape(text[end:]))
    return Markup("").join(parts)


def _span(kind: str, text: str) -> Markup:
    return Markup('<span class="spl-{}">{}</span>').format(kind, text)
