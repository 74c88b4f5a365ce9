"""Functions that hash or decode texts, and addresses."""

from __future__ import annotations

import ipaddress

from kubestray.search.functions.base import BadArgument, Build, Environment
from kubestray.search.functions.text import holds_for_any
from kubestray.search.networks import in_network, network_of
from kubestray.search.values import Shape, Value, as_text, bound, missing
from kubestray.store.trees import Tree, all_of, any_of, call, column, either, null, number, text


def hashed(function: str) -> Build:
    """Make a function that gives a hash in hexadecimal, lower case."""

    def build(a: list[Value], _: Environment) -> Value:
        return Value(Shape.TEXT, call("lower", call("hex", call(function, as_text(a[0])))))

    return build


def urldecode(a: list[Value], _: Environment) -> Value:
    """Decode %XX and +."""
    return Value(Shape.TEXT, call("decodeURLFormComponent", as_text(a[0])))


def cidrmatch(a: list[Value], _: Environment) -> Value:
    """Tell whether an address, or any of several, lies in a network; a text that is no address does not."""
    network = a[0]

    def inside(address: Tree) -> Tree:
        if network.literal is not None:
            return _in_network(address, network.literal)
        tested = _in_any_network(column("address"), column("network"))
        return bound("address", address, bound("network", as_text(network), tested))

    return Value(Shape.BOOLEAN, either(missing(a[1]), null(), holds_for_any(a[1], inside)))


def _in_network(address: Tree, literal: str) -> Tree:
    network = network_of(literal)
    if network is None:
        raise BadArgument(0, f"{literal!r} is no network; write 10.0.0.0/8")
    return in_network(address, network)


def _in_any_network(address: Tree, network: Tree) -> Tree:
    """Test against a network that differs by row: not in one that is none."""
    parts = call("splitByChar", text("/"), call("ifNull", network, text("")))
    base, bits = (call("arrayElement", parts, number(i)) for i in (1, 2))
    bits = call("toUInt8OrNull", bits)

    def family(test: str, most: int, stand_in: str) -> Tree:
        size = either(call("notLike", network, text("%/%")), number(most), bits)
        valid = [call(test, address), call(test, base), call("lessOrEquals", size, number(most))]
        known = call("ifNull", all_of(valid), number(0))
        safe_address = either(known, call("assumeNotNull", address), text(stand_in))
        shown = call("concat", base, text("/"), call("toString", call("assumeNotNull", size)))
        safe_network = either(known, shown, text(f"{stand_in}/{most}"))
        return all_of([known, call("isIPAddressInRange", safe_address, safe_network)])

    tested = any_of([family("isIPv4String", 32, "0.0.0.0"), family("isIPv6String", 128, "::")])  # noqa: S104 (a stand-in, not an address)
    return either(call("isNull", network), null(), tested)


def ipmask(a: list[Value], _: Environment) -> Value:
    """Keep the bits of an IPv4 address that a mask has; null if either is no address."""
    mask, address = (call("IPv4StringToNumOrNull", as_text(value)) for value in a)
    if a[0].literal is not None and not _is_ipv4(a[0].literal):
        raise BadArgument(0, f"{a[0].literal!r} is no mask; write 255.255.255.0")
    return Value(Shape.TEXT, call("IPv4NumToString", call("bitAnd", mask, address)))


def _is_ipv4(written: str) -> bool:
    try:
        return ipaddress.ip_address(written).version == 4
    except ValueError:
        return False
