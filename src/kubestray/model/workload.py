"""Which workload a pod belongs to, by its name alone.

Names that Kubernetes makes up use alphabets of their own, without vowels and without digits that look like
letters (k8s.io/apimachinery, ``util/rand``): five of them end the name of a pod that a ReplicaSet, DaemonSet
or Job made; a ReplicaSet's name ends in a hash whose ten digits are written as ``456789bcdf``. So the name
of a bare pod such as ``nginx-cache`` is left whole.
"""

from __future__ import annotations

import re

_ANY = "[bcdfghjklmnpqrstvwxz2456789]"
_HASH = "[456789bcdf]"

_FORMS = (
    re.compile(rf"(?P<owner>.+)-{_HASH}{{6,10}}-{_ANY}{{5}}"),  # a Deployment's ReplicaSet
    re.compile(rf"(?P<owner>.+)-\d{{8,10}}-{_ANY}{{5}}"),  # a CronJob's Job
    re.compile(rf"(?P<owner>.+)-{_ANY}{{5}}"),  # a DaemonSet or Job
    re.compile(r"(?P<owner>.+)-\d{1,5}"),  # a StatefulSet
)

_REPLICA_SET = re.compile(rf"(?P<owner>.+)-{_HASH}{{6,10}}")


POD_FORMS = tuple(form.pattern for form in _FORMS)
"""The same as text (RE2 reads it too): the whole name fits, and its one group is the owner."""

REPLICA_SET_FORMS = (_REPLICA_SET.pattern,)


def workload_of_pod(pod: str) -> str:
    """Return the workload's name; the pod's own if nothing shows that something made it."""
    for form in _FORMS:
        if found := form.fullmatch(pod):
            return found["owner"]
    return pod


def workload_of_replica_set(name: str) -> str:
    """Return the Deployment's name; the name itself if it has no hash."""
    found = _REPLICA_SET.fullmatch(name)
    return found["owner"] if found else name
