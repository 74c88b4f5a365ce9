"""Networks of IP addresses in CIDR notation, and which texts are addresses in them."""

from __future__ import annotations

import ipaddress

from kubestray.store.trees import Tree, call, either, number, text

Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def network_of(written: str) -> Network | None:
    """Return the network that a text is (an address alone is a network of one), or None."""
    try:
        return ipaddress.ip_network(written.strip(), strict=False)
    except ValueError:
        return None


def in_network(address: Tree, network: Network) -> Tree:
    """Whether a text (it may be null) is an address in a network; never null."""
    test, stand_in = ("isIPv4String", "0.0.0.0") if network.version == 4 else ("isIPv6String", "::")  # noqa: S104 (a stand-in, not an address)
    known = call("ifNull", call(test, address), number(0))
    safe = either(known, call("assumeNotNull", address), text(stand_in))
    return call("and", known, call("isIPAddressInRange", safe, text(str(network))))
