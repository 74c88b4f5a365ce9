"""From settings to who may send: what is refused at the start, and why."""

from __future__ import annotations

from pathlib import Path

import pytest

from kubestray.config import load_config
from kubestray.model.errors import UsageError
from kubestray.pipeline.sources import check_exposure, kafka_of, signalflow_of, sources_of, tls_of

GOOD = '[east]\ntoken = "one"\ncluster = "east"\nnew_series_per_hour = 5\n[west]\ntoken_file = "west.token"\n'


def written(folder: Path, text: str) -> str:
    (folder / "west.token").write_text("two\n", encoding="utf-8")
    file = folder / "sources.toml"
    file.write_text(text, encoding="utf-8")
    return str(file)


def test_sources_of_a_file_and_the_one_of_the_settings(tmp_path: Path) -> None:
    flags = {"receiver_sources": written(tmp_path, GOOD), "receiver_token": "zero"}
    found = sources_of(load_config(flags, {}, None))
    names = {token: found.find(token) for token in ("zero", "one", "two", "three", None)}
    assert {token: source.name if source else None for token, source in names.items()} == {
        "zero": "default",
        "one": "east",
        "two": "west",
        "three": None,
        None: None,
    }
    east = names["one"]
    assert east is not None
    assert (east.cluster, east.budget.take()) == ("east", True)
    assert "token=" not in repr(east)  # nor is it in a log


def test_without_a_token_everybody_may_send_from_here_alone() -> None:
    config = load_config({}, {}, None)
    found = sources_of(config)
    assert [found.find(token) is not None for token in (None, "", "any")] == [True] * 3
    check_exposure(config, found, ["otlp_grpc", "otlp_http"])
    outside = load_config({"otlp_http": "0.0.0.0:4318"}, {}, None)
    with pytest.raises(UsageError, match=r"otlp_http 0\.0\.0\.0:4318.*without a token"):
        check_exposure(outside, sources_of(outside), ["otlp_http"])


@pytest.mark.parametrize("blank", [" ", "\n", "\t "])
def test_a_token_of_nothing_but_spaces_is_none(tmp_path: Path, blank: str) -> None:
    with pytest.raises(UsageError, match=r"KUBESTRAY_RECEIVER_TOKEN.*holds no token"):
        sources_of(load_config({}, {"KUBESTRAY_RECEIVER_TOKEN": blank}, None))
    file = written(tmp_path, f"[a]\ntoken = {blank!r}".replace("'", '"'))
    with pytest.raises(UsageError, match="a token is not empty"):
        sources_of(load_config({"receiver_sources": file}, {}, None))


def test_spaces_around_a_token_are_no_part_of_it() -> None:
    found = sources_of(load_config({}, {"KUBESTRAY_RECEIVER_TOKEN": "zero\n"}, None))
    assert found.find("zero")


def test_a_file_of_sources_is_token_enough(tmp_path: Path) -> None:
    flags = {"receiver_sources": written(tmp_path, GOOD), "otlp_http": "0.0.0.0:4318"}
    config = load_config(flags, {}, None)
    check_exposure(config, sources_of(config), ["otlp_http"])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[a]\n", "a: it needs token or token_file"),
        ('[a]\ntoken = "x"\ntoken_file = "west.token"\n', "and not both"),
        ('[a]\ntoken = ""\n', "a token is not empty"),
        ('[a]\ntoken = "x"\n[b]\ntoken = "x"\n', "another source has"),
        ('[a]\ntoken = "x"\nnew_series_per_hour = 0\n', "above 0"),
        ('[a]\ntoken = "x"\nclustre = "x"\n', "expected a table with cluster"),
        ('[a]\ntoken_file = "nowhere"\n', "cannot be read"),
        ("a = 1\n", "a: expected a table"),
        ("[", "cannot be read"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(tmp_path: Path, text: str, told: str) -> None:
    config = load_config({"receiver_sources": written(tmp_path, text)}, {}, None)
    with pytest.raises(UsageError, match="receiver_sources") as error:
        sources_of(config)
    assert told in str(error.value)


def test_half_of_tls_is_refused(tmp_path: Path) -> None:
    assert tls_of(load_config({}, {}, None)) is None
    for flags in ({"tls_certificate": "c.pem"}, {"tls_key": "k.pem"}, {"tls_client_ca": "ca.pem"}):
        with pytest.raises(UsageError, match="both tls_certificate and tls_key"):
            tls_of(load_config(flags, {}, None))
    missing = {"tls_certificate": str(tmp_path / "c.pem"), "tls_key": str(tmp_path / "k.pem")}
    with pytest.raises(UsageError, match="cannot be used"):
        tls_of(load_config(missing, {}, None))


def test_kafka_is_read_as_the_settings_say(tmp_path: Path) -> None:
    assert kafka_of(load_config({}, {}, None)) is None
    file = tmp_path / "kafka.properties"
    file.write_text("# ours\nsecurity.protocol=SASL_SSL\nsasl.password = a=b\n", encoding="utf-8")
    flags = {"kafka_brokers": "a:9092", "kafka_topics": "x, y", "kafka_properties": str(file)}
    found = kafka_of(load_config({**flags, "kafka_cluster": "east"}, {}, None))
    assert found is not None
    settings, source = found
    assert (settings.topics, settings.group, source.cluster) == (("x", "y"), "kubestray", "east")
    assert settings.properties == {"security.protocol": "SASL_SSL", "sasl.password": "a=b"}
    file.write_text("nothing\n", encoding="utf-8")
    with pytest.raises(UsageError, match="line 1: expected NAME=VALUE"):
        kafka_of(load_config(flags, {}, None))


def test_pulling_needs_a_token(tmp_path: Path) -> None:
    assert signalflow_of(load_config({}, {}, None)) is None
    with pytest.raises(UsageError, match="observability_inputs: 'sim_pods' is none of"):
        signalflow_of(load_config({"observability_inputs": "sim_pods"}, {}, None))
    with pytest.raises(UsageError, match="needs a token"):
        signalflow_of(load_config({"observability_realm": "us1"}, {}, None))
    token = tmp_path / "token"
    token.write_text("first\n", encoding="utf-8")
    flags = {"observability_realm": "us1", "observability_token_file": str(token)}
    found = signalflow_of(load_config(flags, {}, None))
    assert found is not None
    assert (found.url, found.token(), len(found.inputs)) == ("https://stream.us1.signalfx.com", "first", 4)
    token.write_text("renewed\n", encoding="utf-8")
    assert found.token() == "renewed"
