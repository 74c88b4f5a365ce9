"""Every character of a YAML text is known to stand where it is written, in each style."""

from __future__ import annotations

import re
import string

import pytest
import yaml
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.detect.yaml_text import Lines, text_offsets

BREAKS = "\n\x85\u2028\u2029"
WORDS = [
    "a",
    "bc",
    " ",
    "  ",
    "\t",
    "\n",
    "\n\n",
    "'",
    '"',
    "\\",
    "|",
    "#",
    ": ",
    "- ",
    "é",
    "🐍",
    "\x85",
    "\u2028",
]
TEXTS = st.one_of(
    st.lists(st.sampled_from(WORDS), max_size=20).map("".join),
    st.text(string.printable + "äß漢\u2028", max_size=30),
)
ESCAPES = {
    "\0": "0",
    "\a": "a",
    "\b": "b",
    "\t": "t",
    "\n": "n",
    "\v": "v",
    "\f": "f",
    "\r": "r",
    "\x1b": "e",
}
ESCAPES |= {"\x85": "N", "\xa0": "_", "\u2028": "L", "\u2029": "P"}


def read(source: str, key: str = "k") -> tuple[str, list[int]]:
    """The text of a key, and where each of its characters stands."""
    root = yaml.SafeLoader(source).get_single_node()
    for name, node in root.value:
        if name.value == key:
            return node.value, text_offsets(source, node, name.start_mark.column)
    raise AssertionError(key)


def stands(character: str, source: str, at: int) -> bool:
    """Whether a character is what is written at a place, in any of the ways that YAML has for it."""
    written = source[at : at + 10]
    if written[:1] == character:
        return True
    if written.startswith("\\"):
        if found := re.match(r"\\(?:x(..)|u(....)|U(.{8}))", written):
            return chr(int(found[found.lastindex or 0], 16)) == character
        return written[1:2] in (character, ESCAPES.get(character))
    # A line end stands for itself, or for the space that it was folded to.
    return character in " \n" and written[:1] in ("\r", *BREAKS)


def check(source: str, text: str | None = None) -> None:
    loaded, offsets = read(source)
    assert text is None or loaded == text
    assert len(offsets) == len(loaded) + 1
    assert offsets[:-1] == sorted(offsets[:-1])
    for character, at in zip(loaded, offsets, strict=False):
        assert stands(character, source, at), (character, source[at : at + 5], source)
    shown = loaded.rstrip()
    if shown and loaded == shown:
        assert offsets[-1] > offsets[-2]


@settings(max_examples=examples(140), deadline=None)
@given(
    text=TEXTS,
    style=st.sampled_from([None, "'", '"', "|", ">"]),
    width=st.sampled_from([8, 20, 80]),
    plain=st.booleans(),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
    around=st.booleans(),
)
def test_whatever_is_dumped(
    text: str, style: str | None, width: int, plain: bool, ends: str, around: bool
) -> None:
    made = {"before": "x\ny", "k": text, "z": 1} if around else {"k": text}
    check(
        yaml.dump(
            made, default_style=style, width=width, allow_unicode=plain, line_break=ends, sort_keys=False
        )
    )


LINES = st.lists(
    st.text("ab |\"'#:-é🐍", max_size=8).map(lambda line: line.rstrip(" ")), min_size=1, max_size=6
)


@settings(max_examples=examples(140), deadline=None)
@given(
    lines=LINES,
    style=st.sampled_from("|>"),
    chomping=st.sampled_from(["", "-", "+"]),
    indent=st.integers(1, 4),
    counted=st.booleans(),
    outer=st.sampled_from([0, 2]),
    comment=st.sampled_from(["", " # a comment"]),
    ends=st.sampled_from(["\n", "\r\n"]),
    last=st.sampled_from(["", "\n", "\n\n", "\nz: 1\n"]),
)
@example(["  a", "b"], "|", "", 2, True, 0, "", "\n", "")
def test_blocks_written_by_hand(
    lines: list[str],
    style: str,
    chomping: str,
    indent: int,
    counted: bool,
    outer: int,
    comment: str,
    ends: str,
    last: str,
) -> None:
    assume(lines[0].strip() and (counted or not lines[0].startswith(" ")))
    margin = " " * outer
    header = f"{margin}k: {style}{indent if counted else ''}{chomping}{comment}"
    body = [f"{margin}{' ' * indent}{line}" if line else "" for line in lines]
    source = ends.join([header, *body]) + last.replace("\n", ends).replace("z", f"{margin}z")
    loaded, _ = read(source)
    if style == "|" and "+" not in chomping:
        assert loaded.rstrip("\n") == "\n".join(lines).rstrip("\n")
    check(source)


@settings(max_examples=examples(140), deadline=None)
@given(
    text=st.lists(st.sampled_from([*WORDS, "''", "\\\n   ", '\\"', "\\x41", "\\u20ac", "\\N"]), max_size=20)
)
@example(["a", "\n\n\n", "b"])
@example(["a ", "\\\n   ", "b"])
def test_quotes_written_by_hand(text: list[str]) -> None:
    written = "".join(text)
    for quote in "'\"":
        for before in ("", "&anchor ", "!!str ", "&a !!str # why\n  "):
            try:
                source = f"k: {before}{quote}{written}{quote}\n"
                yaml.safe_load(source)
            except yaml.YAMLError:
                continue
            check(source)


@pytest.mark.parametrize(
    ("source", "word", "place"),
    [
        ("k: one two\n", "two", (1, 8)),
        ("k: one\n  two\n\n  three\n", "two", (2, 3)),
        ("k: one\n  two\n\n  three\n", "three", (4, 3)),
        ("k: 'it''s two'\n", "two", (1, 11)),
        ("k: 'one\n\n  two'\n", "two", (3, 3)),
        ('k: "a\\tb \\"two"\n', "two", (1, 12)),
        ('k: "one \\\n    two"\n', "two", (2, 5)),
        ("k: |\n  one\n\n    two\n", "two", (4, 5)),
        ("k: |2\n    one\n   two\n", "two", (3, 4)),
        ("k: >-\n  one\n  two\n", "two", (3, 3)),
        ("k: >\n  one\n\n\n  two\n", "two", (5, 3)),
        ("k: >\n  one\n    two\n  three\n", "three", (4, 3)),
        ("k: |\r\n  one\r\n  two\r\n", "two", (3, 3)),
        ("a: {k: 'one two'}\nk: two\n", "two", (2, 4)),
    ],
)
def test_places(source: str, word: str, place: tuple[int, int]) -> None:
    text, offsets = read(source)
    assert Lines(source).place(offsets[text.index(word)]) == place


def test_the_end_of_a_text_is_after_its_last_word() -> None:
    text, offsets = read("k: |\n  one\n  two\n\nz: 1\n")
    assert text == "one\ntwo\n"
    assert Lines("k: |\n  one\n  two\n\nz: 1\n").place(offsets[-1]) == (3, 6)


def test_lines_end_as_editors_show_them() -> None:
    lines = Lines("a\r\nb\rc\n\u2028d")
    assert [lines.place(at) for at in (0, 3, 5, 8)] == [(1, 1), (2, 1), (3, 1), (4, 2)]
