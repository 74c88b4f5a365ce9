"""Which metrics have sketches: those that content asks percentiles of over long times, and what is set."""

from __future__ import annotations

import pytest

from helpers import DAY, HOUR, MINUTE, NOW, batch, content_of, series
from kubestray.config import load_config
from kubestray.model.content import Content, MacroDefinition
from kubestray.model.errors import UsageError
from kubestray.pipeline import ingesting
from kubestray.pipeline.ingesting import Taken, summarise
from kubestray.pipeline.percentiles import percentile_metrics
from kubestray.pipeline.setting_up import content_of as shipped
from kubestray.pipeline.upkeep import waiting
from kubestray.store.store import Store
from kubestray.store.summarise import Summariser
from kubestray.store.trees import column, select

NONE = load_config({}, {}, None)


@pytest.mark.parametrize(
    ("text", "metrics"),
    [
        ("| mstats perc95(tcp.*) AS tcp.* median(cpu) avg(io) WHERE index=* BY host", ("cpu", "tcp.*")),
        ("| mstats p99.9(cpu) max(io) WHERE index=* span=1h", ("cpu",)),
        ("| mstats upperperc95(_value) WHERE index=* metric_name=ram", ("ram",)),
        ("| mstats avg(io) WHERE index=* | join host [| mstats median(cpu) WHERE index=* BY host]", ("cpu",)),
        ("| mstats median(cpu) WHERE index=* earliest=-25h", ("cpu",)),
        ("| mstats median(cpu) WHERE index=* earliest=-24h", ()),
        ("| mstats median(cpu) WHERE index=* span=10m", ()),
        ("| mstats median(cpu) latest(cpu) WHERE index=*", ()),
        ("| mstats exactperc95(cpu) WHERE index=*", ()),
        ("| mstats avg(cpu) AS c WHERE index=* BY host | stats perc95(c)", ()),
    ],
)
def test_content_tells(text: str, metrics: tuple[str, ...]) -> None:
    assert percentile_metrics(NONE, content_of(text)) == metrics


def test_macros_are_looked_into() -> None:
    content = content_of("| mstats `usual` WHERE index=*")
    content.add(MacroDefinition("usual", "median(cpu)", (), "usual.yml"))
    assert percentile_metrics(NONE, content) == ("cpu",)


def test_settings_add_to_it() -> None:
    config = load_config({"percentile_metrics": "tcp.rtt.average, process.*,"}, {}, None)
    found = percentile_metrics(config, content_of("| mstats median(cpu) WHERE index=*"))
    assert found == ("cpu", "process.*", "tcp.rtt.average")


def test_what_ships_asks_for_none() -> None:
    assert percentile_metrics(NONE, shipped(NONE)) == ()


@pytest.mark.parametrize("value", ["perc95(cpu)", "cpu ram", "cpu,'ram'", "metric_name=cpu"])
def test_what_is_no_name_is_refused(value: str) -> None:
    told = "--percentile-metrics: .* expected names of metrics separated by commas, for example tcp.rtt"
    with pytest.raises(UsageError, match=told):
        load_config({"percentile_metrics": value}, {}, None)


def test_hours_wait_for_sketches_too(embedded: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    start = NOW // DAY * DAY - DAY
    fresh = Store(embedded.engine, embedded.layout, lambda: start + 3 * HOUR)
    fresh.append(batch([(series("cpu"), start + MINUTE, 0, 1.0)]))
    Summariser(fresh, ()).catch_up()
    assert waiting(fresh, NONE, Content()).hours == 0
    assert waiting(fresh, load_config({"percentile_metrics": "ram"}, {}, None), Content()).hours == 0
    named = load_config({"percentile_metrics": "c*"}, {}, None)
    hours = waiting(fresh, named, Content()).hours
    assert hours > 0
    monkeypatch.setattr(ingesting, "MANY_POINTS", 1)
    summarise(fresh, Taken(data_points=1), lambda: (), lambda: percentile_metrics(named, Content()))
    assert waiting(fresh, named, Content()).hours == 0
    assert fresh.query(select(column("metric")).from_("sketched")).num_rows == hours
