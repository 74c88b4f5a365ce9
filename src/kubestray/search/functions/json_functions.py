"""The functions of JSON texts."""

from __future__ import annotations

from kubestray.search.functions.base import BadArgument, Build, Environment, literal_text
from kubestray.search.functions.json_paths import (
    BadPath,
    Key,
    Path,
    changed,
    exists,
    extended,
    is_single,
    path,
    several,
    single,
    without,
)
from kubestray.search.functions.json_values import (
    NOTHING,
    constant,
    document,
    is_kind,
    listed,
    literal,
    membered,
    native,
    only_if,
    quoted,
    truth,
    unquoted,
    written,
)
from kubestray.search.values import Shape, Value, as_list, as_text, bound
from kubestray.store.trees import Tree, array, call, column, either, is_null, lambda_, null, number, text


def json_object(a: list[Value], env: Environment) -> Value:
    """Make an object of names and values by turns."""
    if len(a) % 2:
        raise BadArgument(len(a) - 1, "names and values come in pairs")
    if all(value.number is not None or value.literal is not None for value in a):
        return literal({as_key(a[i]): constant(a[i + 1]) for i in range(0, len(a), 2)})
    parts: list[Tree] = [text("{")]
    for i in range(0, len(a), 2):
        parts += [text("," if i else ""), quoted(document(a[i])), text(":"), written(a[i + 1])]
    return Value(Shape.TEXT, call("toNullable", call("concat", *parts, text("}"))))


def as_key(value: Value) -> str:
    """Return a literal as the name of a member."""
    return value.literal if value.literal is not None else str(constant(value))


def json_array(a: list[Value], env: Environment) -> Value:
    """Make an array."""
    if all(value.number is not None or value.literal is not None for value in a):
        return literal([constant(value) for value in a])
    return Value(Shape.TEXT, call("toNullable", listed(array([written(value) for value in a]))))


def json(a: list[Value], env: Environment) -> Value:
    """Return a value if it is JSON."""
    shown = as_text(a[0])
    return Value(Shape.TEXT, either(call("isValidJSON", document(a[0])), shown, null()))


def json_valid(a: list[Value], env: Environment) -> Value:
    """Tell whether a text is JSON."""
    return Value(Shape.BOOLEAN, either(is_null(as_text(a[0])), null(), call("isValidJSON", document(a[0]))))


def of_kind(kind: str) -> Build:
    """Make a test whether a text is a JSON object or array."""
    return lambda a, env: Value(Shape.BOOLEAN, is_kind(document(a[0]), kind))


def _paths(a: list[Value], env: Environment) -> list[Path]:
    try:
        return [path(literal_text(value, i + 1, "a path")) for i, value in enumerate(a[1:])]
    except BadPath as error:
        raise BadArgument(1, str(error)) from error


def _exact(a: list[Value], env: Environment) -> list[Path]:
    return [(Key(document(value)),) for value in a[1:]]


def json_extract(a: list[Value], env: Environment) -> Value:
    """Return what is at a path, or an array of what is at several."""
    return _extracted(document(a[0]), _paths(a, env))


def json_extract_exact(a: list[Value], env: Environment) -> Value:
    """Return the member of a name, or an array of several members."""
    return _extracted(document(a[0]), _exact(a, env))


def _extracted(own: Tree, paths: list[Path]) -> Value:
    if len(paths) <= 1:
        return native(_piece(own, paths[0] if paths else ()))
    found = [_piece(own, steps) for steps in paths]
    pieces = call(
        "arrayMap", lambda_("f", either(call("empty", column("f")), text("null"), column("f"))), array(found)
    )
    return only_if(call("isValidJSON", own), listed(pieces))


def _piece(own: Tree, steps: Path) -> Tree:
    """Return what is at a path; ``{}`` of an array makes an array, of anything else it is the thing itself."""
    if is_single(steps):
        return single(own, steps)
    found = column("found")
    one = call("arrayElement", found, number(1))
    at = next(i for i, step in enumerate(steps) if is_single(steps[:i]) and not is_single(steps[: i + 1]))
    many = is_kind(single(own, steps[:at]), "Array")
    shown = either(many, listed(found), one)
    return bound("found", several(own, steps), either(call("empty", found), NOTHING, shown))


def json_keys(a: list[Value], env: Environment) -> Value:
    """Return the names of an object's members as an array."""
    names = call("arrayMap", lambda_("x", quoted(column("x"))), call("JSONExtractKeys", document(a[0])))
    return only_if(is_kind(document(a[0]), "Object"), listed(names))


def json_has_key_exact(a: list[Value], env: Environment) -> Value:
    """Tell whether an object has a member of a name."""
    has = call("and", is_kind(document(a[0]), "Object"), call("JSONHas", document(a[0]), document(a[1])))
    return Value(Shape.BOOLEAN, has)


def json_array_to_mv(a: list[Value], env: Environment) -> Value:
    """Return the items of an array as values, without quotes unless they are asked for."""
    items = call("JSONExtractArrayRaw", document(a[0]))
    plain = call("arrayMap", lambda_("x", unquoted(column("x"))), items)
    if len(a) > 1:
        _is_condition(a[1], 1)
        plain = either(truth(a[1]), items, plain)
    return Value(Shape.MULTI, plain)


def _is_condition(value: Value, index: int) -> None:
    if value.shape is not Shape.BOOLEAN:
        raise BadArgument(index, "expected true() or false() here")


def mv_to_json_array(a: list[Value], env: Environment) -> Value:
    """Return all values as an array: of strings, or of what the values read as."""
    values = as_list(a[0])
    strings = call("arrayMap", lambda_("x", quoted(column("x"))), values)
    if len(a) > 1:
        _is_condition(a[1], 1)
        strings = either(truth(a[1]), _inferred(values), strings)
    return only_if(call("notEmpty", values), listed(strings))


def _inferred(values: Tree) -> Tree:
    known = either(call("isValidJSON", column("x")), call("JSONExtractRaw", column("x")), text("null"))
    return call("arrayMap", lambda_("x", known), values)


def json_entries(a: list[Value], env: Environment) -> Value:
    """Return an object's members as an array of objects with ``key`` and ``value``, or other names."""
    names = [quoted(document(value)) for value in a[1:]] or [text('"key"'), text('"value"')]
    name, value = (call("tupleElement", column("p"), number(i)) for i in (1, 2))
    parts = (text("{"), names[0], text(":"), quoted(name), text(","), names[1], text(":"), value, text("}"))
    entry = call("concat", *parts)
    entries = call("arrayMap", lambda_("p", entry), call("JSONExtractKeysAndValuesRaw", document(a[0])))
    return only_if(is_kind(document(a[0]), "Object"), listed(entries))


def array_to_object(a: list[Value], env: Environment) -> Value:
    """Return the object that an array of objects with names and values stands for."""
    own, names = document(a[0]), [document(value) for value in a[1:]]
    name = call("JSONExtractString", column("x"), names[0])
    value = call("JSONExtractRaw", column("x"), names[1])
    pairs = call("arrayMap", lambda_("x", call("tuple", name, value)), call("JSONExtractArrayRaw", own))
    return only_if(is_kind(own, "Array"), membered(pairs))


def _with_pairs(a: list[Value], env: Environment, step: Build | None = None) -> list[tuple[int, Value]]:
    if len(a) % 2 == 0:
        raise BadArgument(len(a) - 1, "paths and values come in pairs")
    return [(i, a[i + 1]) for i in range(1, len(a), 2)]


def _path(value: Value, index: int) -> Path:
    try:
        return path(literal_text(value, index, "a path"))
    except BadPath as error:
        raise BadArgument(index, str(error)) from error


def setting(*, exact: bool) -> Build:
    """Make ``json_set``, or ``json_set_exact`` with names instead of paths."""

    def build(a: list[Value], env: Environment) -> Value:
        result = document(a[0])
        for i, value in _with_pairs(a, env):
            steps: Path = (Key(document(a[i])),) if exact else _path(a[i], i)
            new = written(value)
            result = changed(result, steps, lambda _, new=new: new, new)  # type: ignore[misc]
        return only_if(exists(document(a[0])), result)

    return build


def appending(*, flat: bool) -> Build:
    """Make ``json_append``, or ``json_extend`` that takes the items of an array one by one."""

    def build(a: list[Value], env: Environment) -> Value:
        result = document(a[0])
        for i, value in _with_pairs(a, env):
            new = written(value)
            items = array([new])
            if flat:
                items = bound(
                    "new", new, either(is_kind(column("new"), "Array"), _items(), array([column("new")]))
                )

            def grown(piece: Tree, items: Tree = items) -> Tree:
                return bound("piece", piece, extended(column("piece"), items))

            result = changed(result, _path(a[i], i), grown, None)
        return only_if(exists(document(a[0])), result)

    return build


def _items() -> Tree:
    return call("JSONExtractArrayRaw", column("new"))


def json_delete(a: list[Value], env: Environment) -> Value:
    """Remove members of an object."""
    result = document(a[0])
    for i, value in enumerate(a[1:], 1):
        named = constant(value) if value.literal is not None else None
        for name in named if isinstance(named, list) else [literal_text(value, i, "a key")]:
            steps = _path(Value(Shape.TEXT, value.tree, literal=str(name)), i)
            if not steps or not all(isinstance(step, Key) for step in steps):
                raise BadArgument(i, f"{name!r} is no key; items of arrays cannot be deleted")
            result = without(result, steps)
    return only_if(is_kind(document(a[0]), "Object"), result)


def tojson(a: list[Value], env: Environment) -> Value:
    """Write a value as JSON."""
    return only_if(call("not", call("isNull", as_text(a[0]))), written(a[0]))


def toobject(a: list[Value], env: Environment) -> Value:
    """Return a text that is a JSON object."""
    return only_if(is_kind(document(a[0]), "Object"), call("JSONExtractRaw", document(a[0])))


def toarray(a: list[Value], env: Environment) -> Value:
    """Return a text that is a JSON array, or several values as one."""
    values = as_list(a[0])
    parsed = only_if(is_kind(document(a[0]), "Array"), call("JSONExtractRaw", document(a[0]))).tree
    many = call("greater", call("length", values), number(1))
    if a[0].shape not in (Shape.MULTI, Shape.DYNAMIC):
        return Value(Shape.TEXT, parsed)
    return Value(Shape.TEXT, either(many, call("toNullable", listed(_inferred(values))), parsed))


def tomv(a: list[Value], env: Environment) -> Value:
    """Return several values as they are, and the items of a JSON array as values, in their quotes."""
    items = call("JSONExtractArrayRaw", document(a[0]))
    if a[0].shape not in (Shape.MULTI, Shape.DYNAMIC):
        return Value(Shape.MULTI, items)
    many = call("greater", call("length", as_list(a[0])), number(1))
    return Value(Shape.MULTI, either(many, as_list(a[0]), items))
