"""Functions that hash or decode texts, and addresses."""

from __future__ import annotations

import ipaddress

from kubestray.search.functions.base import BadArgument, Build, Environment, literal_text
from kubestray.search.values import Shape, Value, as_text
from kubestray.store.trees import call, number, text


def hashed(function: str) -> Build:
    """Make a function that gives a hash in hexadecimal, lower case."""

    def build(a: list[Value], _: Environment) -> Value:
        return Value(Shape.TEXT, call("lower", call("hex", call(function, as_text(a[0])))))

    return build


def urldecode(a: list[Value], _: Environment) -> Value:
    """Decode %XX and +."""
    return Value(Shape.TEXT, call("decodeURLFormComponent", as_text(a[0])))


def cidrmatch(a: list[Value], _: Environment) -> Value:
    """Tell whether an address lies in a network; a text that is no address does not."""
    network = literal_text(a[0], 0, "the network")
    try:
        ipaddress.ip_network(network, strict=False)
    except ValueError as error:
        raise BadArgument(0, f"{network!r} is no network; write 10.0.0.0/8") from error
    shown = as_text(a[1])
    known = call("or", call("isIPv4String", shown), call("isIPv6String", shown))
    safe = call("if", known, call("assumeNotNull", shown), text("0.0.0.0"))  # noqa: S104 (a stand-in, not an address)
    inside = call("isIPAddressInRange", safe, text(network))
    return Value(Shape.BOOLEAN, call("and", call("ifNull", known, number(0)), inside))
