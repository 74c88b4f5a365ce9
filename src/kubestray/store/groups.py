"""Groups: series that are alike but for attributes that churn, such as process ids.

Summaries are of groups, so that thousands of short-lived processes make one row an hour. The identity of a
group is derived from its metric, kind and attributes; it is hashed with MD5 for the reason that series have
a cryptographic hash: nobody must be able to craft a value that hides in another group.
"""

from __future__ import annotations

from collections.abc import Collection

from sqlglot import exp

from kubestray.store.trees import Tree, call, column, named, one_of, select, text


def attributes_without(names: Collection[str]) -> Tree:
    """Return the attributes of a series in the catalog without those of these names."""
    if not names:
        return column("attributes")
    other = exp.Not(this=exp.Paren(this=one_of(column("k"), map(text, sorted(names)))))
    keep = exp.Lambda(this=other, expressions=[exp.to_identifier("k"), exp.to_identifier("v")])
    return call("mapFilter", keep, column("attributes"))


def group_id(without: Collection[str]) -> Tree:
    """Return the identity of the group that a series in the catalog belongs to."""
    kind = call("toString", column("kind"))
    whole = call("tuple", call("toString", column("metric")), kind, attributes_without(without))
    return call("halfMD5", call("toString", whole))


def members(without: Collection[str], series: Tree) -> exp.Select:
    """Select series_id and group_id of the series that meet a condition."""
    return select(column("series_id"), named(group_id(without), "group_id")).from_("series").where(series)


def described(without: Collection[str], series: Tree) -> exp.Select:
    """Select the rows of the table ``groups`` for the series that meet a condition."""
    kept = attributes_without(without)
    return (
        select(column("metric"), named(group_id(without), "id"), column("kind"), named(kept, "kept"))
        .distinct()
        .from_("series")
        .where(series)
    )
