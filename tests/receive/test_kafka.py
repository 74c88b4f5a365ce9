"""Kafka, by the mock broker of its own library (librdkafka), which speaks the protocol and keeps groups."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

import pytest
from google.protobuf.json_format import MessageToJson
from memory_store import MemoryStore
from otlp_messages import gauge, request_of

from kubestray.model.errors import StoreError, UsageError
from kubestray.receive.budget import SeriesBudget
from kubestray.receive.commit import GroupCommit
from kubestray.receive.intake import Intake
from kubestray.receive.kafka import KafkaReceiver, KafkaSettings
from kubestray.receive.otlp import Bounds
from kubestray.receive.sources import Source, Sources

kafka = pytest.importorskip("confluent_kafka", reason="confluent-kafka (kubestray[kafka]) is not installed")

_names = count()
QUICK = {"session.timeout.ms": "6000", "heartbeat.interval.ms": "200", "fetch.wait.max.ms": "20"}
QUICK |= {"topic.metadata.refresh.interval.ms": "200", "reconnect.backoff.max.ms": "200"}


@dataclass
class Broker:
    """A broker in this process, and a producer to it."""

    producer: Any
    address: str

    def send(self, topic: str, *values: bytes, partition: int = 0) -> None:
        for value in values:
            self.producer.produce(topic, value, partition=partition)
        assert self.producer.flush(20) == 0

    def committed(self, topic: str, group: str, partition: int = 0) -> int:
        settings = {"bootstrap.servers": self.address, "group.id": group}
        consumer = kafka.Consumer(settings, logger=logging.getLogger("kafka-test"))
        try:
            (found,) = consumer.committed([kafka.TopicPartition(topic, partition)], timeout=10)
            return max(int(found.offset), 0)
        finally:
            consumer.close()


@pytest.fixture(scope="module")
def broker() -> Broker:
    quiet = logging.getLogger("kafka-test")
    producer = kafka.Producer({"test.mock.num.brokers": 1, "linger.ms": 0}, logger=quiet)
    (one,) = producer.list_topics(timeout=20).brokers.values()
    return Broker(producer, f"{one.host}:{one.port}")


@dataclass
class Reading:
    """A receiver, and the store behind it."""

    receiver: KafkaReceiver
    store: MemoryStore
    commit: GroupCommit
    intake: Intake

    def stop(self) -> None:
        self.receiver.stop()
        self.commit.close()

    @property
    def values(self) -> set[float]:
        return set(self.store.values)


@pytest.fixture
def reading(broker: Broker) -> Iterator[Callable[..., Reading]]:
    made: list[Reading] = []

    def make(topic: str, *, store: MemoryStore | None = None, **settings: Any) -> Reading:
        store = store or MemoryStore()
        commit = GroupCommit(store.append, interval=0.01, max_points=settings.pop("max_points", 10_000))
        intake = Intake(commit.submit, Bounds.everything, patience=2.0)
        source = settings.pop("source", None)
        if source is not None:
            intake = replace(intake, sources=Sources([source]))
        named = KafkaSettings(broker.address, (topic,), f"group-{topic}", properties=QUICK)
        receiver = KafkaReceiver(replace(named, **settings), intake, source)
        receiver.start()
        made.append(Reading(receiver, store, commit, intake))
        return made[-1]

    yield make
    for one in made:
        one.store.open.set()
        one.stop()


def message(number: int) -> bytes:
    return request_of(gauge("m", float(number))).SerializeToString()


def topic_name() -> str:
    return f"otlp_metrics_{next(_names)}"


def until(holds: Callable[[], bool]) -> None:
    """Wait for something, 30 seconds at the most."""
    for _ in range(600):
        if holds():
            return
        time.sleep(0.05)
    raise AssertionError("it did not come about")


def test_messages_are_stored_and_then_committed(broker: Broker, reading: Callable[..., Reading]) -> None:
    topic = topic_name()
    broker.send(topic, *map(message, range(5)))
    source = Source("kafka", "", SeriesBudget("kafka", 1000), cluster="east")
    one = reading(topic, source=source)
    until(lambda: one.values == {0, 1, 2, 3, 4})
    until(lambda: broker.committed(topic, f"group-{topic}") == 5)
    series = [each for batch in one.store.batches for each in batch.series.values()]
    assert {dict(each.attributes)["k8s.cluster.name"] for each in series} == {"east"}
    assert source.tally.seen.data_points == 5


def test_json_and_a_message_that_is_none(
    broker: Broker, reading: Callable[..., Reading], caplog: pytest.LogCaptureFixture
) -> None:
    topic = topic_name()
    good = MessageToJson(request_of(gauge("m", 7.0)), indent=None).encode()
    broker.send(topic, b"{", good)
    one = reading(topic, encoding="otlp_json")
    until(lambda: one.values == {7})
    until(lambda: broker.committed(topic, f"group-{topic}") == 2)
    assert one.intake.tally.seen.malformed == 1
    assert any(f"{topic}/0 at 0" in record.getMessage() for record in caplog.records)


def test_nothing_is_committed_that_is_not_stored(broker: Broker, reading: Callable[..., Reading]) -> None:
    """The store fails for a while: what was read is tried again, and a restart loses and doubles nothing."""
    topic = topic_name()
    store = MemoryStore()
    store.failure = StoreError("the disk is full")
    broker.send(topic, *map(message, range(3)))
    first = reading(topic, store=store)
    until(lambda: store.entered.acquire(blocking=False))
    first.stop()
    assert (store.batches, broker.committed(topic, f"group-{topic}")) == ([], 0)
    second = reading(topic, store=store)
    until(lambda: store.entered.acquire(blocking=False))
    store.failure = None
    until(lambda: second.values == {0, 1, 2})
    until(lambda: broker.committed(topic, f"group-{topic}") == 3)


def test_a_full_queue_is_waited_for(broker: Broker, reading: Callable[..., Reading]) -> None:
    topic = topic_name()
    store = MemoryStore()
    store.open.clear()
    broker.send(topic, *map(message, range(20)))
    one = reading(topic, store=store, max_points=2)
    until(lambda: store.entered.acquire(blocking=False))
    assert one.commit.points <= 2
    assert broker.committed(topic, f"group-{topic}") == 0
    store.open.set()
    until(lambda: one.values == set(map(float, range(20))))


def test_more_messages_than_may_wait_for_the_store(
    broker: Broker, reading: Callable[..., Reading], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While nothing more may be read the group still hears of the consumer, which costs no message."""
    monkeypatch.setattr("kubestray.receive.kafka._UNDER_WAY", 8)
    topic = topic_name()
    store = MemoryStore()
    store.open.clear()
    broker.send(topic, *map(message, range(100)))
    one = reading(topic, store=store)
    until(lambda: store.entered.acquire(blocking=False))
    time.sleep(0.5)  # time for polls while the store hangs
    store.open.set()
    until(lambda: broker.committed(topic, f"group-{topic}") == 100)
    assert sorted(one.store.values) == list(map(float, range(100)))


def test_another_consumer_takes_over_what_is_left(broker: Broker, reading: Callable[..., Reading]) -> None:
    """Partitions move while messages come: each is stored, by the one or the other, and nothing is lost."""
    topic = topic_name()
    first = reading(topic)
    for number in range(10):
        broker.send(topic, message(number), partition=number % 4)
    until(lambda: first.values == set(map(float, range(10))))
    second = reading(topic)
    for number in range(10, 60):
        broker.send(topic, message(number), partition=number % 4)
        time.sleep(0.02)
    first.stop()
    for number in range(60, 70):
        broker.send(topic, message(number), partition=number % 4)
    until(lambda: first.values | second.values == set(map(float, range(70))))
    until(lambda: sum(broker.committed(topic, f"group-{topic}", one) for one in range(4)) == 70)


def test_properties_that_the_library_refuses(reading: Callable[..., Reading]) -> None:
    with pytest.raises(UsageError, match=r"kafka_properties.*no\.such\.thing"):
        reading("never", properties={"no.such.thing": "1"})
