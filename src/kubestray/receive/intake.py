"""What every receiver does with a request, whatever its protocol: check the token, decode, queue."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import nullcontext
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from kubestray.model.errors import MalformedRequest
from kubestray.naming.mapping import read_mapping
from kubestray.receive.catalog import Limits
from kubestray.receive.commit import QueueFull, Submit
from kubestray.receive.compression import decompress
from kubestray.receive.hec_counters import Counters
from kubestray.receive.otlp import OtlpCache, decode_json, decode_protobuf
from kubestray.receive.points import Bounds, Decoded
from kubestray.receive.sources import Sources, now_from, source_now
from kubestray.receive.tally import Tally

D = TypeVar("D", bound=Decoded)

Decode = Callable[[bytes, Bounds, Limits], D]
"""Reads a request that is decompressed; raises MalformedRequest if it is none of its protocol."""

LARGE_BYTES = 4 * 1024 * 1024
"""Requests beyond this (after decompression) are decoded one at a time. Ordinary ones are smaller: it
is gRPC's default limit. A message of nothing but empty parts takes some 50 times its size decoded."""

MAX_BYTES = 64 * 1024 * 1024
"""The size of a request after decompression that the OTLP specification advises as the limit."""


@dataclass(frozen=True, slots=True)
class Intake:
    """The way of requests from a receiver to the store.

    ``authorise`` is given the bearer token, or None without one, and compares it in constant time;
    without ``authorise`` everyone may send. ``concurrent`` requests may be under way at once in one
    receiver; ``decoding`` bounds how many of all receivers' are decoded at once, and ``decoding_large``
    how many large ones, for their memory. ``patience`` is how many seconds a client gets to send its
    request, and the store to take it.
    """

    submit: Submit
    bounds: Callable[[], Bounds]
    limits: Limits = field(default_factory=Limits)
    max_bytes: int = MAX_BYTES
    authorise: Callable[[str | None], bool] | None = None
    sources: Sources | None = None
    """By their tokens; they take the place of ``authorise``."""
    concurrent: int = 64
    patience: float = 30.0
    tally: Tally = field(default_factory=Tally)
    full: Callable[[], bool] = lambda: False
    """Whether there is no room for further points at this moment."""
    counters: Counters = field(default_factory=lambda: read_mapping().counters)
    """Metrics that count, for protocols that do not say so."""
    cache: OtlpCache = field(default_factory=OtlpCache)
    decoding: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(4))
    decoding_large: threading.Lock = field(default_factory=threading.Lock)

    def welcomes(self, authorization: str | None) -> bool:
        """Tell whether the sender of an ``Authorization`` header or metadata value may send."""
        return self.admits(bearer_token(authorization))

    def admits(self, token: str | None) -> bool:
        """Tell whether the sender of this token, or of none, may send."""
        if self.sources is not None:
            source = self.sources.find(token)
            now_from(source)
            if source is not None:
                return True
        elif self.authorise is None or self.authorise(token):
            return True
        self.tally.unauthorised()
        return False

    def take_protobuf(self, body: bytes, encoding: str) -> tuple[Decoded, Future[None]]:
        """Decode an OTLP protobuf request and queue its points: see `take`."""
        return self.take(partial(decode_protobuf, cache=self.cache_now()), body, encoding)

    def take_json(self, body: bytes, encoding: str) -> tuple[Decoded, Future[None]]:
        """Decode an OTLP/JSON request and queue its points: see `take`."""
        return self.take(partial(decode_json, cache=self.cache_now()), body, encoding)

    def cache_now(self) -> OtlpCache:
        """Return what is remembered for the source of this request: apart where it names a cluster."""
        source = source_now()
        return source.cache if source is not None and source.cluster else self.cache

    def stored(self, decoded: Decoded) -> None:
        """Count a request whose points are stored."""
        self.tally.stored(decoded)
        if self.sources is not None and (source := source_now()) is not None:
            source.tally.stored(decoded)

    def _limits(self) -> Limits:
        source = source_now() if self.sources is not None else None
        return self.limits if source is None else source.limits(self.limits)

    def take(self, decode: Decode[D], body: bytes, encoding: str) -> tuple[D, Future[None]]:
        """Return what the request held, and the future that resolves when it is stored.

        Raises MalformedRequest, TooLarge, UnknownEncoding, QueueFull.
        """
        try:
            with self.decoding:
                plain = decompress(body, encoding, self.max_bytes)
                with self.decoding_large if len(plain) > LARGE_BYTES else nullcontext():
                    decoded = decode(plain, self.bounds(), self._limits())
            return decoded, self.submit(decoded.batch)
        except MalformedRequest:
            self.tally.malformed()
            raise
        except QueueFull:
            self.tally.refused()
            raise


def bearer_token(authorization: str | None) -> str | None:
    """Return the token of an ``Authorization`` header of the scheme ``Bearer``."""
    scheme, _, token = (authorization or "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else None
