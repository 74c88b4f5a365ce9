"""Requests that collectors' own tests use as golden files, in both encodings."""

from __future__ import annotations

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from otlp_oracle import Expected, assert_same, golden_requests

from kubestray.receive.otlp import Bounds, OtlpCache, decode_json, decode_protobuf

EVERYTHING = Bounds.everything()


@pytest.fixture(params=golden_requests(), ids=lambda path: path.name)
def body(request) -> bytes:
    return request.param.read_bytes()


def test_protobuf(body):
    expected, cache = Expected(body, EVERYTHING), OtlpCache()
    assert expected.data_points + expected.no_value > 0
    for _ in range(3):
        assert_same(decode_protobuf(body, EVERYTHING, cache=cache), expected)


def test_json(body):
    text = MessageToJson(ExportMetricsServiceRequest.FromString(body)).encode()
    assert_same(decode_json(text, EVERYTHING, cache=OtlpCache()), Expected(body, EVERYTHING))
