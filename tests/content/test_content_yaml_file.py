"""Files that are no YAML, or YAML that is meant to hurt, are told in one line with their place."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from helpers import examples
from kubestray.detect import yaml_file
from kubestray.detect.loader import content_files
from kubestray.detect.yaml_file import YamlFile, read_yaml
from kubestray.model.errors import ContentError
from kubestray.pipeline.setting_up import built_in

QUOTES = "put the text in quotes, or after |- on indented lines of its own"
BOMB = "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]\n" for n in range(1, 9))

BROKEN = {
    "nothing": (b"", "1:1: is empty …"),
    "a comment alone": (b"# later\n", "1:1: is empty …"),
    "a list": (b"- a\n- b\n", "1:1: expected a mapping of names to values"),
    "a text": (b"\n\nhello\n", "3:1: expected a mapping of names to values"),
    "no UTF-8": (b"a: 1\nb: \xc3\xbc\xff\n", "2:5: is not UTF-8: byte 0xff (save it as UTF-8)"),
    "UTF-16": ("a\n".encode("utf-16"), "1:1: is not UTF-8: byte 0xff (it looks like UTF-16: …"),
    "too much": (b"a" * (1 << 20) + b"\n", "1:1: is too large for a content file (1 MiB)"),
    "a control character": (b"a: x\x00y\n", "1:5: not valid YAML: the character U+0000 is not allowed"),
    "a search without quotes": (b"search: | mstats x\n", "1:11: not valid YAML: … (a text that begins …"),
    "a macro without quotes": (b"definition: `m`\n", f"1:13: not valid YAML: … ({QUOTES})"),
    "a colon in a text": (b"a: one: two\n", '1:7: not valid YAML: … (": " in a text begins a mapping: …'),
    "a tab": (b"a:\n\tb: 1\n", "2:1: not valid YAML: … (indent with spaces, not with tabs)"),
    "a star": (b"search: * | stats count\n", f"1:10: not valid YAML: … ({QUOTES})"),
    "an escape": (b'a: "\\s"\n', "1:6: not valid YAML: … (in \"…\" a backslash is written twice, …"),
    "an open quote": (b'a: 1\nb: "x\nc: 2\n', "2:4: not valid YAML: … (add the closing quote)"),
    "a quote in quotes": (b"a: 'it's'\n", "1:8: not valid YAML: … (look at the indentation, and write '' …"),
    "two documents": (b"a: 1\n---\nb: 2\n", "2:1: not valid YAML: … (a file holds one item: …"),
    "code": (b"a: !!python/object/apply:os.system [x]\n", "1:4: not valid YAML: …"),
    "a date that is none": (b"a: 1\ndate: 2026-02-30\n", "2:7: not valid YAML: cannot be read as time…"),
    "a number without end": (b"a: " + b"9" * 5000, "1:4: not valid YAML: cannot be read as int: …"),
    "a key that is a list": (b"? [a]\n: 1\n", "1:3: not valid YAML: …"),
    "an alias of itself": (b"a: 1\nb: &b [*b]\n", "2:4: an alias (*name) refers to what it is a part of"),
    "a billion of aliases": (b"a0: &a0 [1, 1]\n" + BOMB.encode(), "6:1: holds more than 100000 values (…"),
    "brackets": (b"a: " + b"[" * 3000 + b"]" * 3000, "1:1: nests too deeply"),
}  # fmt: skip


def read(folder: Path, raw: bytes) -> YamlFile:
    path = folder / "a.yml"
    path.write_bytes(raw)
    return read_yaml(path)


@pytest.mark.parametrize(("raw", "told"), BROKEN.values(), ids=BROKEN.keys())
def test_broken_files(tmp_path: Path, raw: bytes, told: str) -> None:
    with pytest.raises(ContentError) as raised:
        read(tmp_path, raw)
    said = str(raised.value).removeprefix(f"{tmp_path}/a.yml:")
    pattern = re.escape(told).replace("…", ".*")
    assert re.fullmatch(pattern, said), said


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(ContentError, match="cannot be read: No such file"):
        read_yaml(tmp_path / "a.yml")


def test_a_key_that_is_given_twice(tmp_path: Path) -> None:
    file = read(tmp_path, b"a: 1\nb: {x: 1, x: 2}\na: 3\n")
    assert sorted(str(problem).removeprefix(f"{tmp_path}/") for problem in file.problems) == [
        "a.yml:2:11: b.x: is given twice, first in line 2 (only one of them can count)",
        "a.yml:3:1: a: is given twice, first in line 1 (only one of them can count)",
    ]


def test_places_of_keys_at_any_depth(tmp_path: Path) -> None:
    file = read(tmp_path, b"\xef\xbb\xbfa: 1\nb:\n  - c: 1\n    d: {e: 2}\n  - 5\n")
    places = {key: str(file.place(key)).split(":", 1)[1] for key in ("a", "b.0.d.e", "b.1", "b.0.x.y", "z")}
    assert places == {"a": "1:1", "b.0.d.e": "4:9", "b.1": "5:5", "b.0.x.y": "3:5", "z": "1:1"}


def test_merged_mappings_are_read(tmp_path: Path) -> None:
    file = read(tmp_path, b"a: &a {x: 1}\nb: {<<: *a, y: 2}\n")
    assert file.values["b"] == {"x": 1, "y": 2}
    assert file.problems == []


WORDS = "a é 🐍 k: - ' \" \\ | |- >+ # , [ ] { } &x !!str ! % @ 1 0x1 ~ null true 2026-02-03 --- ...".split()
WORDS += [
    "k: ",
    "b: 1\n",
    "- ",
    " ",
    "  ",
    "\n",
    "\n  ",
    "\r\n",
    "\t",
    "\x85",
    "? ",
    "\ufeff",
    "'it''s'",
    "|\n  x\n",
]


@settings(max_examples=examples(100), deadline=None)
@given(parts=st.lists(st.sampled_from(WORDS), max_size=12))
@example(["k: ", "- ", "a"])
def test_the_quick_reader_reads_what_the_plain_one_does(tmp_path_factory: Any, parts: list[str]) -> None:
    """Values, problems and places; or both refuse, in the same words."""
    path = tmp_path_factory.getbasetemp() / "either.yml"
    path.write_bytes(f"first: 1\n{''.join(parts)}".encode())

    def told(depth: int) -> tuple[object, ...]:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(yaml_file, "_DEEP", depth)  # 0: nothing is read by the quick one
            try:
                file = read_yaml(path)
            except ContentError as error:
                return (str(error),)
        places = {key: str(file.place(key)) for key in file._entries}
        texts = {key: [str(file.where(key)(at)) for at in range(6)] for key in places}
        return repr(file.values), file.problems, places, texts

    assert told(0) == told(1 << 20)


def test_content_of_ours_is_read_by_the_quick_reader() -> None:
    """A file that it does not read would not be wrong, but slow."""
    sources = [path.read_text(encoding="utf-8") for path in content_files(built_in())]
    assert {type(yaml_file._read(source)[0]).__name__ for source in sources} == {"_Quick"}


def test_what_nests_deep_ends_no_process(tmp_path: Path) -> None:
    for raw in (b"a: " + b"[" * 900_000, b"a:\n  " + b"- " * 100_000, b"? " * 400_000):
        with pytest.raises(ContentError, match=r"nests too deeply|not valid YAML"):
            read(tmp_path, raw)
