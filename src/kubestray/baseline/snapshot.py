"""A fleet's state as bytes and back, and two states of one fleet as one.

The layout is NumPy's ``npz`` without pickles. ``version`` says what the
arrays mean; a state of another version is refused, as its numbers would be misread.
"""

from __future__ import annotations

import io
import tokenize
import zipfile
import zlib
from copy import deepcopy
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from kubestray.baseline.arrays import Arrays, Flags
from kubestray.baseline.heights import Heights
from kubestray.baseline.ramps import Ramps
from kubestray.baseline.residuals import FAR_BEFORE, Residuals
from kubestray.baseline.resize import of_first
from kubestray.baseline.stray import Direction, Stray
from kubestray.baseline.tails import HALF_LIFE, Tails
from kubestray.model.errors import KubestrayError

VERSION = 7
"""1 had no phases, no direction and no head, 2 neither a view of what lasts nor weekends. What else was added
until 3 (the usual moves of a metric, how restless it is at each height, the hours of each entity) is blank
where a state lacks it, as for a metric and an entity that are new.
"""
WITHOUT_MINUTES = 3
"""The last one without tails of the last minutes: a fleet that goes on learns them from then on."""
WITHOUT_ONCE = 4
"""The last one that knows neither the score before nor the last hours: to a fleet that goes on its next step
is the first, and it learns its hours from then on.
"""
WITHOUT_ONE_OF_MANY = 5
"""The last one whose last minutes were put together as a moment is: a fleet that goes on learns them anew, as
they come to more now.
"""
WITHOUT_ODD = 6
"""The last one whose new entities learned what is odd like all else, and whose means of the last minutes came
back slowly after a fault; a fleet that goes on learns from then on as others do.
"""
KEPT_AS = 5
"""By which version searches find what they have kept: it is another one only where what was kept before is of
no use, as everything is learned anew then, from the points that there still are.
"""
_READ = (WITHOUT_MINUTES, WITHOUT_ONCE, WITHOUT_ONE_OF_MANY, WITHOUT_ODD, VERSION)


_RUBBISH = (
    LookupError, TypeError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error,
    tokenize.TokenError,
)  # fmt: skip
"""What NumPy and `zipfile` raise of bytes that are no arrays, and arrays that are not those of a fleet."""


def dump(fleet: Stray, head: bytes = b"", entities: int | None = None) -> bytes:
    """Return the state of a fleet, or of its first ``entities``, and with it a few bytes about it that are
    nobody's business here.
    """
    entities = fleet.entities if entities is None else entities
    own = fleet.entity < entities
    written = io.BytesIO()
    np.savez(
        written,
        version=np.int64(version_of(fleet)),
        entity=fleet.entity[own],
        step=fleet.step[own],
        per_day=np.float64(fleet.budget.per_day),
        direction=np.str_(fleet.direction),
        head=np.frombuffer(head, dtype=np.uint8),
        **of_first(fleet, entities),  # type: ignore[arg-type]
    )
    return written.getvalue()


def load(state: bytes) -> Stray:
    """Return the fleet of a dump: it goes on exactly as the dumped one would; raise `KubestrayError` if it
    cannot.
    """
    return load_with_head(state)[0]


def load_with_head(state: bytes, then: bool = False) -> tuple[Stray, bytes]:
    """Return the fleet of a dump and the bytes that came with it, as `load` does; with ``then`` one that
    scores as those of its version did, so that what was told then comes out again.
    """
    try:
        packed = np.load(io.BytesIO(state), allow_pickle=False)
        arrays = {name: packed[name] for name in packed}
        version = int(arrays["version"])
        if version in _READ:
            fleet = _fleet(arrays, anew=version <= WITHOUT_ONE_OF_MANY and not then)
            if then:
                as_of(fleet, version)
            return fleet, arrays["head"].tobytes()
    except _RUBBISH as error:
        raise KubestrayError(f"the state of a baseline cannot be read: {error}; let it learn anew") from error
    raise KubestrayError(
        f"the state of a baseline has version {version}, this program reads {_READ[0]} to {_READ[-1]}; "
        "let it learn anew"
    )


def version_of(fleet: Stray) -> int:
    """Return the version that says what the numbers of a fleet mean."""
    if fleet.minutes is None:
        return WITHOUT_MINUTES
    if fleet.once is None:
        return WITHOUT_ONCE
    if not fleet.one_of_many:
        return WITHOUT_ONE_OF_MANY
    return VERSION if fleet.odd_counts_less else WITHOUT_ODD


def as_of(fleet: Stray, version: int) -> None:
    """Have a fleet score as those of a version did."""
    if version <= WITHOUT_ODD:
        fleet.odd_counts_less, fleet.residuals.far = False, FAR_BEFORE
    fleet.one_of_many = version > WITHOUT_ONE_OF_MANY
    if version <= WITHOUT_ONCE:
        fleet.once = fleet.hours = None
    if version <= WITHOUT_MINUTES:
        fleet.minutes = None


def _fleet(arrays: dict[str, NDArray[Any]], anew: bool) -> Stray:
    """Return the fleet of some arrays; with ``anew`` one that knows nothing of the last minutes if entities
    have several metrics, as those of one alone come to what they did.
    """
    entity, step = arrays["entity"], arrays["step"]
    # As many entities as it says there are get rows, before anything else is looked at.
    if entity.ndim != 1 or step.shape != entity.shape or ((entity < 0) | (entity >= len(entity))).any():
        raise ValueError("its entities are not those of its metrics")
    direction, daily = cast(Direction, str(arrays["direction"])), "familiar.clock" in arrays
    fleet = Stray(entity, step, float(arrays["per_day"]), direction, daily=daily)
    for part, into in fleet.parts().items():
        blank = anew and part == "minutes" and len(entity) > fleet.entities
        names = ("phase",) if blank else into.fields + into.rows_first
        into.load({name: arrays[f"{part}.{name}"] for name in names if f"{part}.{name}" in arrays})
    return fleet


def merge(one: Stray, other: Stray) -> Stray:
    """Return what two states of the same fleet know together, such as of two servers that saw a part each.

    What is averaged is weighted by points, older knowledge decayed to the later time; what means "just now"
    is that of the side that saw the metric last. Raise `ValueError` if the fleets have other metrics or
    steps.
    """
    if not (np.array_equal(one.entity, other.entity) and np.array_equal(one.step, other.step)):
        raise ValueError("only states of the same entities, metrics and steps can be merged")
    merged = load(dump(one))
    newer = (other.seen.last > one.seen.last)[one.entity]
    _merge_residuals(merged.residuals, other.residuals, newer)
    _merge_heights(merged.heights, other.heights)
    _merge_tails(merged.views, deepcopy(other.views))
    _merge_tails(merged.whole, deepcopy(other.whole))
    for mine, theirs in ((merged.minutes, other.minutes), (merged.hours, other.hours)):
        if mine and theirs:
            _merge_tails(mine, deepcopy(theirs))
    merged.budget.merge(other.budget)
    _take_ramps(merged.ramps, other.ramps, newer | (one.residuals.count == 0))
    if merged.familiar and other.familiar:
        merged.familiar.merge(other.familiar)
    later = other.seen.last > one.seen.last
    _take(merged.lingering, other.lingering, later)
    if merged.once and other.once:
        _take(merged.once, other.once, later)
    merged.seen.first = np.minimum(one.seen.first, other.seen.first)
    merged.seen.last = np.maximum(one.seen.last, other.seen.last)
    return merged


def _merge_residuals(into: Residuals, other: Residuals, newer: Flags) -> None:
    # A side that saw more than two weeks knows no more than that of a level: the rest is forgotten.
    most = 14 * 86400.0 / into.step
    weights = np.stack([np.minimum(into.count, most), np.minimum(other.count, most)])
    share = weights[1] / np.maximum(weights.sum(axis=0), 1.0)
    apart = other.location[0] - into.location[0]
    mean = into.location[0] + share * apart
    take = newer | (into.count == 0)
    take &= other.count > 0
    for name in ("level", "bin", "bin_sum", "bin_count", "sustained", "calm", "calm_level"):
        setattr(into, name, np.where(take, getattr(other, name), getattr(into, name)))
    into.variance += share * (other.variance - into.variance)
    into.variance[0] += share * (1.0 - share) * apart * apart
    into.location = np.where(take, other.location, into.location)
    into.location[0] = mean
    moves = into.moves + other.moves
    into.move += other.moves / np.maximum(moves, 1.0) * (other.move - into.move)
    into.moves, into.move_hours = moves, into.move_hours + other.move_hours
    into.move_hour = np.maximum(into.move_hour, other.move_hour)
    for name in ("seasonal_variance", "level_variance", "sustained_variance"):
        mine = getattr(into, name)
        setattr(into, name, mine + share * (getattr(other, name) - mine))
    total = into.profile_count + other.profile_count
    part = other.profile_count / np.maximum(total, 1)
    into.profile += part * (other.profile - into.profile)
    into.profile_count = total
    into.count = into.count + other.count
    into.seasonal_count = into.seasonal_count + other.seasonal_count


def _merge_heights(into: Heights, other: Heights) -> None:
    """Put the points of both lines on one: what is between their means counts as well."""
    points = into.points + other.points
    share = other.points / np.maximum(points, 1.0)
    higher, more = other.height - into.height, other.usual - into.usual
    between = share * (1.0 - share) * higher
    into.spread += share * (other.spread - into.spread) + between * higher
    into.together += share * (other.together - into.together) + between * more
    into.height += share * higher
    into.usual += share * more
    into.points = points


def _take(into: Arrays, other: Arrays, take: Flags) -> None:
    """Take what means "just now" where the other side saw an entity last."""
    for name in into.fields:
        setattr(into, name, np.where(take, getattr(other, name), getattr(into, name)))


def _take_ramps(into: Ramps, other: Ramps, take: Flags) -> None:
    """Take the days of the side that saw a metric last: half a day from each would be no mean of a day."""
    for name in ("day", "total", "count", "usual", "compared"):
        setattr(into, name, np.where(take, getattr(other, name), getattr(into, name)))
    for name in into.rows_first:
        setattr(into, name, np.where(take[:, None], getattr(other, name), getattr(into, name)))
    into.told = np.maximum(into.told, other.told)


def _merge_tails(into: Tails, other: Tails) -> None:
    lived = np.flatnonzero(other.block >= 0)
    alone = lived[into.block[lived] < 0]
    for name in into.fields + into.rows_first:
        index = alone if name in into.rows_first else (..., alone)
        getattr(into, name)[index] = getattr(other, name)[index]
    both = lived[~np.isin(lived, alone)]
    for side, last in ((into, other), (other, into)):
        ended = both[side.block[both] < last.block[both]]
        side.learn(ended[side.peak[ended] > -np.inf])
        side.peak[ended] = -np.inf
    latest = np.maximum(into.block[both], other.block[both])
    total = np.zeros((len(both), into.histogram.shape[1]))
    for side in (into, other):
        decay = np.exp2(-(latest - side.block[both]) * side.length[both] / HALF_LIFE) / side.weight[both]
        total += side.histogram[both] * decay[:, None]
    into.histogram[both] = total.astype(np.float32)
    into.weight[both] = 1.0
    into.peak[both] = np.maximum(into.peak[both], other.peak[both])
    into.counts[both] = np.minimum(into.counts[both], other.counts[both])
    into.block[both] = latest
    into.blocks[both] += other.blocks[both]
    into.refresh(both[into.blocks[both] >= 3])
