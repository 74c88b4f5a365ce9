"""Who is at risk: a part of a cluster, by kind and name."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

KINDS = ("cluster", "node", "namespace", "workload", "pod", "container", "process", "edge", "image")
"""Every kind there is, the widest first."""


@dataclass(frozen=True, slots=True, order=True)
class Entity:
    """A part of a cluster; written ``kind:cluster/namespace/name``, parts that do not apply are empty.

    The name of a process is ``workload/process``, or ``node/process`` without a namespace; that of a
    container ``pod/container``; that of an edge ``workload>namespace/workload``.
    """

    kind: str
    cluster: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.cluster}/{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """Read what ``str`` writes; None if the text is no such name."""
        kind, colon, rest = text.partition(":")
        parts = rest.split("/", 2)
        if not colon or kind not in KINDS or len(parts) != 3:
            return None
        return cls(kind, *parts)

    @property
    def short(self) -> str:
        """Return the name as people say it: with its namespace, without its cluster."""
        own = self.name or self.namespace or self.cluster
        return f"{self.namespace}/{own}" if self.namespace and self.name else own

    @property
    def said(self) -> str:
        """Return the name as it is put in a sentence: what it is, and the cluster that it is in."""
        within = f" of cluster {self.cluster}" if self.cluster and self.kind != "cluster" else ""
        return f"{self.kind} {self.short}{within}"
