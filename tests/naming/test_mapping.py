"""The file of names: what is wrong with one is told with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubestray.model.errors import UsageError
from kubestray.model.metric import Kind
from kubestray.naming.mapping import read_mapping


def test_the_users_file_comes_first(tmp_path: Path) -> None:
    mine = tmp_path / "mine.yml"
    mine.write_text(
        "metrics:\n  - {name: tcp.bytes, from: [our_bytes_total], kind: cumulative}\n"
        "counters: {delta: [k8s.pod.network.io], cumulative: [our.counter]}\n",
        encoding="utf-8",
    )
    found = read_mapping((mine,))
    assert (found.metrics[0].name, found.metrics[0].received) == ("tcp.bytes", "our_bytes_total")
    assert found.counters["k8s.pod.network.io"] is Kind.DELTA
    assert found.counters["our.counter"] is found.counters["process.cpu.time"] is Kind.CUMULATIVE
    assert len(found.metrics) == len(read_mapping().metrics) + 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("attribute: []", "expected the keys"),
        ("attributes:\n  - {from: [a]}", "attributes: entry 1: it needs name"),
        ("attributes:\n  - {name: a, frm: [b]}", "but not frm"),
        ("attributes:\n  - {name: a, from: 3}", "from: expected a list of texts"),
        ("attributes:\n  - {name: a, from: b, match: 'no group'}", "needs one group"),
        ("attributes:\n  - {name: a, from: b, match: '('}", "entry 1: match"),
        ("attributes:\n  - {name: a, from: b, owner_of: house}", "owner_of: expected pod or replica_set"),
        ("attributes:\n  - {name: a, lookup: {by: b}}", "lookup: it needs by and metrics"),
        ("metrics:\n  - {name: a, from: b, kind: meter}", "expected a kind"),
        ("metrics:\n  - {name: a, from: b, where: [c]}", "where: expected names with values"),
        ("only:\n  - {metrics: a, values: b}", "only: entry 1: it needs attribute"),
        ("only:\n  - {metrics: a, attribute: b}", "only: entry 1: it needs metrics and values"),
        ("metrics:\n  - {name: a}", "metrics: entry 1: it needs from"),
        ("metrics:\n  - {name: a, from: b, renamed: 'no'}", "renamed: expected true or false"),
        ("metrics: 5", "metrics: expected a list of entries"),
        ("metrics: {a: b}", "metrics: expected a list of entries"),
        ("attributes:\n  - {name: a}", "attributes: entry 1: it needs from or lookup"),
        ("attributes:\n  - {name: a, from: b, match: '(?=a)(b)'}", "entry 1: match"),
        ("counters: {often: [a]}", "counters: expected a kind"),
        ("a: [", "cannot be read"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "bad.yml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=r"bad\.yml") as error:
        read_mapping((file,))
    assert told in str(error.value)
