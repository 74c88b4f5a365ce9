"""Small words for building sqlglot trees. Names given here are ours; user text enters as `text` only."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from sqlglot import exp

from kubestray.store.moments import Moment

Tree = exp.Expr


def walked(*trees: Tree) -> list[Tree]:
    """Return the nodes of trees, each before those within it; a column is one node, without its name.

    The walk that trees have themselves takes several times as long.
    """
    found: list[Tree] = []
    left = list(trees)
    while left:
        node = left.pop()
        found.append(node)
        if isinstance(node, exp.Column):
            continue
        for value in node.args.values():
            if isinstance(value, Tree):
                left.append(value)
            elif type(value) is list:
                left += [one for one in value if isinstance(one, Tree)]
    return found


def column(name: str) -> exp.Column:
    """Refer to a column by a name of ours."""
    return exp.column(exp.to_identifier(name))


def text(value: str) -> exp.Literal:
    """Quote any text as a literal: the one way a user's or a sender's words get into a statement."""
    return exp.Literal.string(value)


def number(value: float) -> Tree:
    """Write a number that is exactly the given double when read back."""
    literal = exp.Literal.number(repr(abs(value)) if isinstance(value, float) else str(int(abs(value))))
    if isinstance(value, Moment):
        literal.meta["moment"] = value
    return exp.Neg(this=literal) if value < 0 else literal


def unsigned(value: int) -> Tree:
    """Write a 64-bit unsigned integer literal (times in nanoseconds, series ids)."""
    return call("toUInt64", number(value))


def null() -> Tree:
    """NULL."""
    return exp.Null()


def call(name: str, *arguments: Tree) -> Tree:
    """Call an engine function by its exact name."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def aggregate(name: str, *arguments: Tree) -> Tree:
    """Call an aggregate function of the engine, in a way that `windowed` can tell."""
    node = call(name, *arguments)
    node.meta["aggregate"] = True
    return node


def windowed(
    tree: Tree,
    *,
    partition: Sequence[Tree] = (),
    terms: Sequence[Tree] = (),
    rows: int = 0,
    current: bool = True,
) -> Tree:
    """Return the tree with each `aggregate` in it taken over a window of rows instead of a group.

    The arguments are those of `over`.
    """

    def change(node: Tree) -> Tree:
        if not node.meta.get("aggregate"):
            return node
        return over(
            node.copy(),
            partition=[tree.copy() for tree in partition],
            terms=[term.copy() for term in terms],
            rows=rows,
            current=current,
        )

    return tree.transform(change)


def parametric(name: str, parameters: Sequence[Tree], arguments: Sequence[Tree]) -> Tree:
    """Call an aggregate function that takes parameters besides its arguments: ``name(1, 2)(value)``."""
    return exp.CombinedParameterizedAgg(this=name, expressions=list(parameters), params=list(arguments))


def unnested(query: exp.Select, arrays: Sequence[Tree]) -> exp.Select:
    """``ARRAY JOIN``: a row of the query for each place of these arrays, which are equally long."""
    first, *others = arrays
    query.append("joins", exp.Join(this=first, expressions=others, kind="ARRAY"))
    return query


def array(items: Iterable[Tree]) -> Tree:
    """Build an array value."""
    return call("array", *items)


def lambda_(names: str, body: Tree) -> Tree:
    """Write ``name -> body``; several names are separated by spaces."""
    return exp.Lambda(this=body, expressions=[exp.to_identifier(name) for name in names.split()])


def either(condition: Tree, then: Tree, otherwise: Tree) -> Tree:
    """``if(condition, then, otherwise)``; a NULL condition takes ``otherwise``."""
    return call("if", condition, then, otherwise)


def is_null(value: Tree) -> Tree:
    """Is the value NULL."""
    return call("isNull", value)


_MANY = 20  # conditions above which a chain of operators would nest too deeply to walk or parse


def all_of(conditions: Sequence[Tree]) -> Tree:
    """AND of any number of conditions; true when there are none."""
    if len(conditions) > _MANY:
        return call("and", *conditions)
    return exp.and_(*conditions) if conditions else exp.true()


def any_of(conditions: Sequence[Tree]) -> Tree:
    """OR of any number of conditions; false when there are none."""
    if len(conditions) > _MANY:
        return call("or", *conditions)
    return exp.or_(*conditions) if conditions else exp.false()


def one_of(value: Tree, options: Iterable[Tree]) -> Tree:
    """``value IN (options)``; false when there are none."""
    items = list(options)
    return exp.In(this=value, expressions=items) if items else exp.false()


def in_query(value: Tree, query: exp.Select) -> Tree:
    """``value GLOBAL IN (query)``: on a cluster the list is made once and sent to every shard."""
    return exp.In(this=value, query=exp.Subquery(this=query), is_global=True)


def named(tree: Tree, name: str) -> Tree:
    """``tree AS name``."""
    return exp.alias_(tree, exp.to_identifier(name), copy=False)


def select(*columns: Tree) -> exp.Select:
    """Start a SELECT."""
    return exp.Select().select(*columns, copy=False)


def table(query: exp.Query, name: str) -> Tree:
    """Use a query as a named table."""
    return exp.Subquery(this=query, alias=exp.TableAlias(this=exp.to_identifier(name)))


def reading(query: exp.Select, source: exp.Query, name: str) -> exp.Select:
    """Let a query read another one; if that only chooses rows and columns of a table, the table itself.

    For the engine each query within another one is a step to plan.
    """
    known = {"kind", "expressions", "from_", "where"}
    plain = isinstance(source, exp.Select) and all(
        not made or part in known for part, made in source.args.items()
    )
    if not plain or not all(isinstance(one, exp.Column) for one in source.selects):
        return query.from_(table(source, name), copy=False)
    query.set("from_", source.args["from_"])
    where = source.args.get("where")
    return query.where(where.this, copy=False) if where else query


def ordered(value: Tree, *, descending: bool = False) -> Tree:
    """One ORDER BY term; NULLs last."""
    return exp.Ordered(this=value, desc=descending, nulls_first=False)


def over(
    function: Tree,
    *,
    partition: Sequence[Tree] = (),
    order: Sequence[Tree] = (),
    terms: Sequence[Tree] = (),
    rows: int = 0,
    current: bool = True,
) -> Tree:
    """``function OVER (PARTITION BY … ORDER BY …)``; with an order, over the rows up to the current one.

    The order is given as plain trees (``order``) or as `ordered` ones (``terms``). ``rows`` bounds how many
    rows there are; 0 is all. Without ``current`` the window ends with the row before.
    """
    terms = [*terms, *map(ordered, order)]
    spec = None
    if terms:
        start = exp.Literal.number(rows - current) if rows else "UNBOUNDED"
        end: Tree | str = "CURRENT ROW" if current else exp.Literal.number(1)
        side = None if current else "PRECEDING"
        spec = exp.WindowSpec(kind="ROWS", start=start, start_side="PRECEDING", end=end, end_side=side)
    return exp.Window(
        this=function,
        partition_by=list(partition),
        order=exp.Order(expressions=terms) if terms else None,
        spec=spec,
        over="OVER",
    )


def somewhere(condition: Tree) -> Tree:
    """Whether a condition holds in some row of the whole result; `is_somewhere` can tell."""
    window = over(call("max", condition))
    window.meta["somewhere"] = True
    return window


def is_somewhere(tree: Tree) -> bool:
    """Tell whether a tree was made by `somewhere`."""
    return isinstance(tree, exp.Window) and bool(tree.meta.get("somewhere"))
