"""XML as trees: read leniently, as texts of events are seldom whole documents.

Several elements may stand side by side, an element may not be closed, an attribute may lack its quotes.
Entities are only the five of XML and characters by number: nothing here can grow beyond its text.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Sequence
from xml.etree import ElementTree

_NAME = r"[A-Za-z_][\w.:-]*"
_TOKEN = re.compile(
    rf"<!--.*?-->|<!\[CDATA\[(?P<data>.*?)\]\]>|<[?!][^>]*>|</\s*(?P<closed>{_NAME})\s*>"
    rf"|<(?P<opened>{_NAME})(?P<attributes>(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*)>|(?P<text>[^<]+)",
    re.DOTALL,
)
_ATTRIBUTE = re.compile(rf"({_NAME})\s*=\s*(?:\"([^\"]*)\"|'([^']*)'|([^\s\"'/>]+))")
_STEP = re.compile(r"([^.{}]+)((?:\{[^{}]*\})*)(?:\.|$)")
_INDEX = re.compile(r"\{([^{}]*)\}")
_MOST_DEEP = 200

Element = ElementTree.Element


def looks_like_xml(text: str) -> bool:
    """Whether a text may be XML."""
    return text.lstrip().startswith("<")


def read_xml(text: str) -> Element:
    """Return an element that holds those of a text."""
    top = ElementTree.Element("top")
    open_ones = [top]
    for found in _TOKEN.finditer(text):
        if name := found["opened"]:
            written = found["attributes"]
            values = {n: html.unescape(a or b or c) for n, a, b, c in _ATTRIBUTE.findall(written)}
            made = ElementTree.SubElement(open_ones[-1], name, values)
            if not written.rstrip().endswith("/") and len(open_ones) < _MOST_DEEP:
                open_ones.append(made)
        elif name := found["closed"]:
            _close(open_ones, name)
        elif found["data"] is not None:
            _add(open_ones[-1], found["data"])
        elif found["text"]:
            _add(open_ones[-1], html.unescape(found["text"]))
    return top


def _close(open_ones: list[Element], name: str) -> None:
    """Close the innermost element of a name, and those within it; one that is not open is passed over."""
    for at in range(len(open_ones) - 1, 0, -1):
        if open_ones[at].tag == name:
            del open_ones[at:]
            return


def _add(element: Element, text: str) -> None:
    if len(element):
        element[-1].tail = (element[-1].tail or "") + text
    else:
        element.text = (element.text or "") + text


def value_of(element: Element) -> str:
    """Return what an element holds: its text, or its inner elements as they are written."""
    if not len(element):
        return (element.text or "").strip()
    inner = (ElementTree.tostring(child, encoding="unicode") for child in element)
    return ((element.text or "") + "".join(inner)).strip()


def at_path(top: Element, path: str) -> list[str]:
    """Return the values at a path such as ``a.b{2}.c{@name}``: the second b, an attribute of each c."""
    found: Sequence[Element] = [top]
    values: list[str] = []
    for step in _STEP.finditer(path):
        found = [child for element in found for child in _chosen(element, step[1], step[2])]
        names = [index[1:] for index in _INDEX.findall(step[2]) if index.startswith("@")]
        if names:
            return [element.attrib[name] for element in found for name in names if name in element.attrib]
        values = [value_of(element) for element in found]
    return [value for value in values if value]


def _chosen(element: Element, name: str, indexes: str) -> list[Element]:
    """Return the children of a name; those of a number are counted from 1."""
    children = [child for child in element if child.tag == name]
    for index in _INDEX.findall(indexes):
        if index.isdecimal():
            children = children[int(index) - 1 : int(index)] if int(index) else []
    return children


def leaves(element: Element, path: str = "") -> Iterator[tuple[str, str]]:
    """Yield the path and value of each attribute and of each element that holds only text."""
    for child in element:
        name = f"{path}.{child.tag}" if path else child.tag
        for attribute, value in child.attrib.items():
            yield f"{name}{{@{attribute}}}", value
        if not len(child) and (text := value_of(child)):
            yield name, text
        yield from leaves(child, name)
