"""Names as Kubernetes and the cloud make them, from keys instead of chance."""

from __future__ import annotations

import hashlib

# k8s.io/apimachinery's rand.String: no vowels, and nothing that looks like one.
_SAFE = "bcdfghjklmnpqrstvwxz2456789"
# rand.SafeEncodeString turns the decimal digits of a template hash into these.
_HASH = "456789bcdf"


def _letters(key: int, alphabet: str, count: int) -> str:
    text = ""
    for _ in range(count):
        key, place = divmod(key, len(alphabet))
        text += alphabet[place]
    return text


def pod_suffix(key: int) -> str:
    """Return the five letters that end a pod's name."""
    return _letters(key, _SAFE, 5)


def template_hash(key: int) -> str:
    """Return a ReplicaSet's hash: eight to ten letters."""
    return _letters(key // 3, _HASH, 8 + key % 3)


def hexadecimal(key: int, length: int) -> str:
    """Return hexadecimal digits, as a container id has 64 of them."""
    return hashlib.blake2b(key.to_bytes(8, "little"), digest_size=length // 2).hexdigest()


def uid(key: int) -> str:
    """Return a version 4 UUID."""
    digits = hexadecimal(key, 32)
    variant = "89ab"[int(digits[16], 16) % 4]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


def node_name(key: int) -> str:
    """Return the private name of a cloud machine."""
    return f"ip-10-{key % 4}-{key // 4 % 256}-{4 + key // 1024 % 250}.ec2.internal"


def zone(index: int) -> str:
    """Return the availability zone of a node slot: machines are spread over three."""
    return f"us-east-1{'abc'[index % 3]}"
