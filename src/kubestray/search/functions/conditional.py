"""Functions that choose: if, case, coalesce, and the tests they use."""

from __future__ import annotations

from collections.abc import Callable

from kubestray.search.compare import compare, is_member
from kubestray.search.functions.base import BadArgument, Build, Environment, condition
from kubestray.search.values import NULL, Shape, Value, choose, present
from kubestray.store.trees import Tree, call


def if_(a: list[Value], env: Environment) -> Value:
    return choose([(condition(a[0], 0), a[1])], a[2])


def case(a: list[Value], env: Environment) -> Value:
    if len(a) % 2:
        raise BadArgument(len(a) - 1, "conditions and values come in pairs")
    return choose([(condition(a[i], i), a[i + 1]) for i in range(0, len(a), 2)], NULL)


def validate(a: list[Value], env: Environment) -> Value:
    if len(a) % 2:
        raise BadArgument(len(a) - 1, "conditions and values come in pairs")
    failed = [(call("not", condition(a[i], i)), a[i + 1]) for i in range(0, len(a), 2)]
    return choose(failed, NULL)


def coalesce(a: list[Value], env: Environment) -> Value:
    return choose([(present(value), value) for value in a[:-1]], a[-1])


def nullif(a: list[Value], env: Environment) -> Value:
    return choose([(compare("==", a[0], a[1], env.switches), NULL)], a[0])


def in_(a: list[Value], env: Environment) -> Value:
    return Value(Shape.BOOLEAN, is_member(a[0], a[1:], env.switches))


def test(check: Callable[[Value], Tree]) -> Build:
    return lambda a, env: Value(Shape.BOOLEAN, check(a[0]))


def constant(tree: Tree) -> Build:
    return lambda a, env: Value(Shape.BOOLEAN, tree, static=True)
