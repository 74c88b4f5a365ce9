"""Files of OTLP metrics: what they are is found by content, and what is whole is kept."""

from __future__ import annotations

import gzip
import io
import json
from types import SimpleNamespace

import pytest
import zstandard
from google.protobuf.json_format import MessageToJson
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.metrics.v1.metrics_pb2 import MetricsData
from otlp_messages import gauge, request_of, requests
from otlp_oracle import Expected, golden_requests, rows, sorted_rows
from peak_memory import peak_growth

from helpers import examples
from kubestray.receive import framing
from kubestray.receive.byte_stream import ByteStream
from kubestray.receive.files import FileMessage, find_files, read_files
from kubestray.receive.framing import frames
from kubestray.receive.otlp import Bounds

EVERYTHING = Bounds.everything()


def request(value: float) -> ExportMetricsServiceRequest:
    return request_of(gauge("a", value, x="y"), host="h")


def line(value: float, **options) -> bytes:
    return MessageToJson(request(value), **{"indent": None, **options}).encode()


def framed(*bodies: bytes) -> bytes:
    return b"".join(len(body).to_bytes(4, "big") + body for body in bodies)


def proto(value: float) -> bytes:
    return request(value).SerializeToString()


@pytest.fixture
def read(tmp_path):
    """Write bytes to a file and read it: the values, and the errors with their positions."""

    def read(content: bytes):
        path = tmp_path / "no-telling.name"
        path.write_bytes(content)
        return summary(read_files([path], EVERYTHING))

    return read


def summary(messages) -> SimpleNamespace:
    messages = list(messages)
    return SimpleNamespace(
        messages=messages,
        values=[v for message in messages if message.decoded for v in message.decoded.batch.value.tolist()],
        errors=[(message.position, message.error) for message in messages if message.error],
        positions=[message.position for message in messages],
    )


COMPRESSIONS = {
    "plain": lambda content: content,
    "gzip": gzip.compress,
    "gzip members": lambda content: gzip.compress(content[:7]) + gzip.compress(content[7:]),
    "zstd": zstandard.compress,
    "zstd frames": lambda content: zstandard.compress(content[:7]) + zstandard.compress(content[7:]),
}
CONTENTS = {
    "json lines": line(1) + b"\n" + line(2) + b"\n" + line(3) + b"\n",
    "json lines, no last newline": line(1) + b"\n" + line(2) + b"\n" + line(3),
    "json lines, dos": b"\r\n".join([line(1), line(2), line(3), b""]),
    "json lines and blank ones": b"\n\n" + line(1) + b"\n  \n" + line(2) + b"\n\n" + line(3),
    "json with a byte order mark": b"\xef\xbb\xbf" + line(1) + b"\n" + line(2) + b"\n" + line(3),
    "pretty json": line(1, indent=2) + b"\n" + line(2, indent=2) + b"\n" + line(3, indent=2) + b"\n",
    "mixed json": line(1, indent=2) + b"\n" + line(2) + b"\n" + line(3, indent=2),
    "snake case": b"\n".join(line(v, preserving_proto_field_name=True, indent=1) for v in (1, 2, 3)),
    "framed": framed(proto(1), proto(2), proto(3)),
    "framed, with empty ones": framed(b"", proto(1), b"", proto(2), proto(3), b""),
    "one message": proto(1) + proto(2) + proto(3),
    "one MetricsData": MetricsData.FromString(proto(1) + proto(2) + proto(3)).SerializeToString(),
    "one json line": MessageToJson(
        ExportMetricsServiceRequest.FromString(proto(1) + proto(2) + proto(3)), indent=None
    ).encode(),
}


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("content", CONTENTS)
def test_forms(read, content, compression):
    found = read(COMPRESSIONS[compression](CONTENTS[content]))
    assert (found.values, found.errors) == ([1.0, 2.0, 3.0], [])


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_an_empty_file_has_no_messages(read, compression):
    assert read(COMPRESSIONS[compression](b"")).messages == []


def test_positions(read):
    assert read(b"\n" + line(1) + b"\n\n" + line(2, indent=1) + b"\n" + line(3)).positions[:2] == [
        "line 2",
        "line 4",
    ]
    assert read(framed(b"", proto(2))).positions == ["message 1 at byte 0", "message 2 at byte 4"]
    assert read(proto(1)).positions == ["message 1"]


@pytest.mark.parametrize(
    ("broken", "position"),
    [
        (b"{broken}", "line 2"),
        (b'{"resourceMetrics": 5}', "line 2"),
        (line(9)[:-20], "line 2"),
        (line(9)[:20], "line 2"),
        (b"}}}}", "line 2"),
        (b"no json at all", "line 2"),
        (line(9)[:40] + b"\n" + line(9)[:30], "line 2"),
    ],
)
def test_a_broken_line_costs_only_itself(read, broken, position):
    found = read(line(1) + b"\n" + broken + b"\n" + line(2) + b"\n" + line(3) + b"\n")
    assert found.values == [1.0, 2.0, 3.0]
    assert found.errors[0][0] == position


def test_a_broken_framed_message_costs_only_itself(read):
    found = read(framed(proto(1), b"broken", proto(2)))
    assert found.values == [1.0, 2.0]
    [(position, error)] = found.errors
    assert position == f"message 2 at byte {4 + len(proto(1))}"
    assert "protobuf" in error


def test_a_cut_json_file_keeps_the_whole_lines(read):
    found = read(line(1) + b"\n" + line(2) + b"\n" + line(3)[:-10])
    assert found.values == [1.0, 2.0]
    assert [position for position, _ in found.errors] == ["line 3"]


@pytest.mark.parametrize("cut", [1, 10, len(proto(3)) - 1, len(proto(3)) + 2])
def test_a_cut_framed_file_keeps_the_whole_messages(read, cut):
    found = read(framed(proto(1), proto(2), proto(3))[:-cut])
    assert found.values == [1.0, 2.0]
    [(position, error)] = found.errors
    assert position.startswith("message 3")
    assert "cut off" in error


def test_a_cut_single_message_keeps_the_whole_resources(read):
    whole = proto(1) + proto(2)
    found = read(whole + proto(3)[:-5])
    assert found.values == [1.0, 2.0]
    assert found.errors == [(f"byte {len(whole)}", "the message is cut off or broken from here on")]


@pytest.mark.parametrize("compress", [gzip.compress, zstandard.compress])
@pytest.mark.parametrize(
    "content",
    [
        b"".join(line(value) + b"\n" for value in range(400)),
        framed(*map(proto, range(400))),
        b"".join(map(proto, range(400))),
    ],
    ids=["json", "framed", "one"],
)
def test_a_cut_compressed_file_keeps_what_came_through(read, compress, content):
    # Of data this alike a single block could be cut off as a whole: take members.
    compressed = compress(content[: len(content) // 2]) + compress(content[len(content) // 2 :])
    found = read(compressed[:-20])
    assert found.values[:190] == [float(i) for i in range(190)]
    [(position, error)] = found.errors
    assert "cut off" in error
    assert position.startswith("byte ")


def test_a_damaged_compressed_file_is_told(read):
    compressed = bytearray(gzip.compress(line(1) + b"\n") + gzip.compress(line(2)))
    compressed[-4] ^= 1
    found = read(bytes(compressed))
    assert found.values[:1] == [1.0]
    assert "broken gzip" in found.errors[-1][1]


@pytest.mark.parametrize("content", [b"name: yaml\n", b"\xff\xfe", b"[]", b"\x12\x03abc"])
def test_something_else(read, content):
    found = read(content)
    assert found.values == []
    assert "neither OTLP JSON nor OTLP protobuf" in found.errors[0][1]


def test_an_impossible_length_stops_the_file(read):
    found = read(framed(proto(1)) + b"\xff\xff\xff\xff" + framed(proto(2)))
    assert found.values == [1.0]
    assert "reading stops" in found.errors[0][1]


def test_messages_beyond_the_limit_are_told_and_skipped():
    small, large = line(1), line(2, indent=None).replace(b'"y"', b'"' + b"y" * 1000 + b'"')
    found = list(frames(ByteStream([small + b"\n" + large + b"\n" + small]), max_message=800))
    assert [frame.body.strip() for frame in found] == [small, b"", small]
    assert [frame.position for frame in found] == ["line 1", "line 2", "line 3"]
    assert "larger than 800" in found[1].error


def test_a_first_resource_of_123_bytes_does_not_pass_for_json(read):
    """Its message begins with a newline and an opening brace."""
    padding = 0
    while (body := request_of(gauge("a", 1.0), host="h" * padding).SerializeToString())[:2] != b"\n{":
        padding += 1
        assert padding < 200
    assert read(body).values == [1.0]
    assert read(b"\n" + line(2)).values == [2.0]


@pytest.mark.parametrize("length", [0x0A000000, 0x0A0B0C0D])
def test_a_frame_whose_length_begins_like_a_message(length):
    """160 MiB and more, so checked without decoding."""
    filler = length - 5
    varint = bytes(
        [filler & 0x7F | 0x80, filler >> 7 & 0x7F | 0x80, filler >> 14 & 0x7F | 0x80, filler >> 21]
    )
    long = b"\x0a" + varint + bytes(filler)
    assert len(long) == length
    found = frames(ByteStream([length.to_bytes(4, "big"), long, framed(proto(1))]))
    assert [len(frame.body) for frame in found] == [length, len(proto(1))]


def test_a_long_single_message_is_not_taken_for_a_frame():
    resource = b"\x0a" + b"\x80\x80\x80\x01" + bytes(1 << 21)
    found = list(frames(ByteStream(resource for _ in range(81))))
    assert [(len(frame.body), frame.error) for frame in found] == [(81 * len(resource), "")]


@settings(max_examples=examples(50), deadline=None)
@given(
    st.lists(requests, min_size=1, max_size=4),
    st.sampled_from(["lines", "pretty", "framed", "one"]),
    st.data(),
)
def test_any_messages_in_any_form_and_any_chunks(messages, form, data):
    bodies = [message.SerializeToString() for message in messages]
    content = {
        "lines": lambda: b"".join(MessageToJson(m, indent=None).encode() + b"\n" for m in messages),
        "pretty": lambda: b"".join(MessageToJson(m).encode() + b"\n" for m in messages),
        "framed": lambda: framed(*bodies),
        "one": lambda: b"".join(bodies),
    }[form]()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=4)))
    chunks = [content[a:b] for a, b in zip([0, *cuts], [*cuts, len(content)], strict=True)]
    found = list(frames(ByteStream(chunks)))
    assert not any(frame.error for frame in found)
    if form == "framed":
        assert [frame.body for frame in found] == bodies
    elif form == "one":
        assert b"".join(frame.body for frame in found) == b"".join(bodies)
    else:
        assert [json.loads(frame.body) for frame in found] == [json.loads(MessageToJson(m)) for m in messages]


@settings(max_examples=examples(50), deadline=None)
@given(
    st.binary(max_size=100),
    st.sampled_from([b"", b"{", b"\x0a", b"\x00\x00\x00\x05", b"\x1f\x8b", b"\x28\xb5\x2f\xfd"]),
)
def test_arbitrary_bytes_give_errors_and_no_harm(tmp_path_factory, content, beginning):
    path = tmp_path_factory.getbasetemp() / "arbitrary"
    path.write_bytes(beginning + content)
    for message in read_files([path], EVERYTHING):
        assert bool(message.error) != (message.decoded is not None)


def test_recorded_requests(tmp_path):
    bodies = [path.read_bytes() for path in golden_requests()]
    expected = [row for body in bodies for row in Expected(body, EVERYTHING).rows]
    forms = {
        "json": b"".join(
            MessageToJson(ExportMetricsServiceRequest.FromString(b), indent=None).encode() + b"\n"
            for b in bodies
        ),
        "framed": zstandard.compress(framed(*bodies)),
        "one": b"".join(bodies),
    }
    for name, content in forms.items():
        (tmp_path / name).write_bytes(content)
        found = [row for m in read_files([tmp_path / name], EVERYTHING) for row in rows(m.decoded.batch)]
        assert sorted_rows(found) == sorted_rows(expected)
    assert summary(read_files(golden_requests(), EVERYTHING)).errors == []


def test_directories_are_walked_in_order(tmp_path):
    for name in ("b/1.pb", "a/2", "a/1", "a/.hidden", ".git/x", "c"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(proto(1))
    found = [path.removeprefix(f"{tmp_path}/") for path in find_files([tmp_path, tmp_path / "c"])]
    assert found == ["c", "a/1", "a/2", "b/1.pb", "c"]


def test_files_that_are_not_there(tmp_path):
    (tmp_path / "good").write_bytes(proto(1))
    found = summary(read_files([tmp_path / "missing", tmp_path / "good"], EVERYTHING))
    assert found.values == [1.0]
    assert str(found.messages[0]) == f"{tmp_path}/missing: byte 0: No such file or directory"


def test_stdin(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(gzip.compress(line(1)))))
    [message] = read_files(["-"], EVERYTHING)
    assert (message.path, message.decoded.batch.value.tolist()) == ("-", [1.0])


def test_how_much_was_read_is_told(tmp_path):
    content = gzip.compress(line(1) + b"\n" + line(2))
    (tmp_path / "f").write_bytes(content)
    assert [message.consumed for message in read_files([tmp_path / "f"], EVERYTHING)] == [len(content)] * 2


@pytest.mark.parametrize("form", ["lines", "framed"])
def test_memory_does_not_grow_with_the_file(form):
    """Some 200 MB, in messages of 100 kB."""
    one = request_of(*(gauge("a", float(i), x="y" * 80) for i in range(500)))
    body = one.SerializeToString() if form == "framed" else MessageToJson(one, indent=None).encode() + b"\n"
    message = framed(body) if form == "framed" else body
    count = 200_000_000 // len(message)
    with peak_growth() as peak:
        assert sum(1 for _ in frames(ByteStream(message for _ in range(count)))) == count
    assert peak.mebibytes < 50


def test_errors_are_one_line(tmp_path):
    (tmp_path / "f").write_bytes(b"{\n\n\n")
    [message] = read_files([tmp_path / "f"], EVERYTHING)
    assert isinstance(message, FileMessage)
    assert "\n" not in str(message)


def test_the_tag_that_framing_relies_on():
    assert proto(1)[0] == framing._REQUEST_TAG
