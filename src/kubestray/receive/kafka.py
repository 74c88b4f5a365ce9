"""Kafka as a source: what the collector's kafka exporter wrote, `otlp_proto` or `otlp_json`.

One consumer of a group. A message's points are queued as those of a request are, and its offset is committed
only when they are in the store, and those of all messages before it in its partition: whatever dies, what was
not stored comes again, and what comes twice is stored once. A message that is none is counted, told, and
passed over, since it will not be any better the next time.

What cannot be stored for now is tried again, and no more is read meanwhile. When partitions are given to
another consumer, what of them is stored is committed first.

Source: kafkaexporter and kafkareceiver of the OpenTelemetry Collector; "Consumer" of confluent-kafka-python.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, wait
from dataclasses import dataclass, field
from typing import Any

from kubestray.model.errors import KubestrayError, MalformedRequest, UsageError
from kubestray.receive.commit import QueueFull
from kubestray.receive.intake import Intake
from kubestray.receive.points import Decoded
from kubestray.receive.sources import Source, now_from

log = logging.getLogger(__name__)

ENCODINGS = ("otlp_proto", "otlp_json")

_AT_ONCE = 64  # messages that are read together
_UNDER_WAY = 512  # messages that may wait for the store; beyond, one more each time the group is told of
_WAIT = 0.2  # seconds for messages, or for the store
_COMMIT_EVERY = 1.0  # seconds
_RETRY_MOST = 5.0  # seconds between two tries to store a message

Partition = tuple[str, int]


@dataclass(slots=True)
class _Message:
    """A message that is not stored yet: its place, its bytes, and what is awaited of it."""

    offset: int
    value: bytes
    stored: Future[None]
    decoded: Decoded | None


@dataclass(frozen=True, slots=True)
class KafkaSettings:
    """Where to read. ``properties`` are those of librdkafka: security, for example."""

    brokers: str
    topics: tuple[str, ...] = ("otlp_metrics",)
    group: str = "kubestray"
    encoding: str = "otlp_proto"
    properties: Mapping[str, str] = field(default_factory=dict)


class KafkaReceiver:
    """Reads topics in a thread of its own, from `start` until `stop`."""

    def __init__(self, settings: KafkaSettings, intake: Intake, source: Source | None = None) -> None:
        self._settings, self._intake, self._source = settings, intake, source
        takes = {"otlp_proto": intake.take_protobuf, "otlp_json": intake.take_json}
        self._take: Callable[[bytes, str], tuple[Decoded, Future[None]]] = takes[settings.encoding]
        self._pending: dict[Partition, deque[_Message]] = {}
        self._reached: dict[Partition, int] = {}  # offsets up to which all is stored, to be committed
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="kafka", daemon=True)
        self._consumer: Any = None
        self._next_commit = 0.0

    def start(self) -> None:
        """Begin to read. Raises KubestrayError without the library, or for properties that it refuses."""
        self._consumer = _consumer(self._settings)
        self._consumer.subscribe(list(self._settings.topics), on_revoke=self._given_up, on_lost=self._lost)
        self._thread.start()

    def stop(self) -> None:
        """Stop reading; what is under way is stored and committed, unless the store takes too long."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        # The source goes along with what this thread does, see `sources`.
        now_from(self._source)
        try:
            while not self._stopping.is_set():
                self._step()
        finally:
            self._settle(list(self._pending), self._intake.patience)
            self._consumer.close()

    def _step(self) -> None:
        room = _UNDER_WAY - sum(map(len, self._pending.values()))
        if room > 0:
            for message in self._consumer.consume(min(room, _AT_ONCE), _WAIT):
                self._read(message)
        else:
            self._wait_for_room()
        self._collect()
        if time.monotonic() >= self._next_commit:
            self._next_commit = time.monotonic() + _COMMIT_EVERY
            self._commit(list(self._pending), asynchronous=True)

    def _wait_for_room(self) -> None:
        """Read next to nothing for a moment, and let the group hear that this consumer is alive.

        It hears of that by a poll, and a poll that gives a message has taken it: it would not come again.
        """
        wait([waiting[0].stored for waiting in self._pending.values() if waiting], _WAIT)
        message = self._consumer.poll(0)
        if message is not None:
            self._read(message)

    def _read(self, message: Any) -> None:
        error = message.error()
        if error is not None:
            log.warning("kafka: %s", error)
            return
        waiting = self._pending.setdefault((message.topic(), message.partition()), deque())
        value = message.value() or b""
        stored, decoded = self._queue(value, message)
        waiting.append(_Message(message.offset(), value, stored, decoded))

    def _queue(self, value: bytes, message: Any) -> tuple[Future[None], Decoded | None]:
        """Queue a message's points, however long there is no room for them."""
        pause = 0.05
        while not self._stopping.is_set():
            try:
                decoded, stored = self._take(value, "identity")
            except QueueFull:
                self._collect()
                self._stopping.wait(pause)
                pause = min(2 * pause, _RETRY_MOST)
                continue
            except MalformedRequest as error:
                place = f"{message.topic()}/{message.partition()} at {message.offset()}"
                log.warning("kafka: the message of %s is passed over: %s", place, error)
                break
            return stored, decoded
        done: Future[None] = Future()
        if self._stopping.is_set():
            done.set_exception(KubestrayError("stopped before it was stored"))
        else:
            done.set_result(None)
        return done, None

    def _collect(self) -> None:
        """Forget what is stored, with all before it in its partition; try again what could not be."""
        for partition, waiting in self._pending.items():
            while waiting and waiting[0].stored.done() and waiting[0].stored.exception() is None:
                message = waiting.popleft()
                self._reached[partition] = message.offset + 1
                if message.decoded is not None:
                    self._intake.stored(message.decoded)
            for message in waiting:
                if message.stored.done() and message.stored.exception() is not None:
                    self._try_again(message)

    def _try_again(self, message: _Message) -> None:
        if self._stopping.is_set():
            return
        log.warning("kafka: points could not be stored and are tried again: %s", message.stored.exception())
        self._stopping.wait(_WAIT)
        try:
            message.decoded, message.stored = self._take(message.value, "identity")
        except QueueFull:
            return  # it keeps its error, and comes here again

    def _commit(self, partitions: Sequence[Partition], *, asynchronous: bool) -> None:
        import confluent_kafka

        offsets = [
            confluent_kafka.TopicPartition(*partition, self._reached.pop(partition))
            for partition in partitions
            if partition in self._reached
        ]
        if not offsets:
            return
        try:
            self._consumer.commit(offsets=offsets, asynchronous=asynchronous)
        except confluent_kafka.KafkaException as error:
            # What is not committed comes again, and is stored once all the same.
            log.warning("kafka: offsets could not be committed: %s", error)

    def _settle(self, partitions: Sequence[Partition], patience: float) -> None:
        """Wait for what is under way of some partitions, commit what is stored, and forget the rest."""
        mine = [partition for partition in partitions if partition in self._pending]
        wait([message.stored for partition in mine for message in self._pending[partition]], patience)
        self._collect()
        self._commit(mine, asynchronous=False)
        for partition in mine:
            del self._pending[partition]

    def _given_up(self, _consumer: Any, partitions: Sequence[Any]) -> None:
        """Settle what another consumer gets; the group waits for this."""
        self._settle([(one.topic, one.partition) for one in partitions], self._intake.patience)

    def _lost(self, _consumer: Any, partitions: Sequence[Any]) -> None:
        """Forget what another consumer has already: it reads again what was not committed."""
        for one in partitions:
            self._pending.pop((one.topic, one.partition), None)
            self._reached.pop((one.topic, one.partition), None)


def _consumer(settings: KafkaSettings) -> Any:
    try:
        import confluent_kafka
    except ImportError as error:
        raise UsageError("Kafka needs a library: pip install 'kubestray[kafka]'") from error
    wanted: dict[str, Any] = {
        "auto.offset.reset": "earliest",
        "partition.assignment.strategy": "cooperative-sticky",
        "client.id": "kubestray",
        **settings.properties,
        "bootstrap.servers": settings.brokers,
        "group.id": settings.group,
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
    }
    try:
        return confluent_kafka.Consumer(wanted, logger=log)
    except confluent_kafka.KafkaException as error:
        raise UsageError(f"kafka_properties: {error}") from error
