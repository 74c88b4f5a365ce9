"""The methods that `evaluate` knows, by name: one line here and one module make another."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from kubestray.evaluate.methods.adaptive_bands import AdaptiveBands
from kubestray.evaluate.methods.base import Fleet, Method
from kubestray.evaluate.methods.dspot import Dspot
from kubestray.evaluate.methods.ewma import Ewma
from kubestray.evaluate.methods.kmeans import KMeans
from kubestray.evaluate.methods.libraries import HalfSpaceTrees, Loda, OfEntities
from kubestray.evaluate.methods.mad import Mad
from kubestray.evaluate.methods.published import Published
from kubestray.evaluate.methods.stray import StrayMethod

METHODS: dict[str, Callable[[Fleet], Method]] = {
    "stray": StrayMethod,
    "published": Published,
    "ewma": Ewma,
    "mad": Mad,
    "kmeans": KMeans,
    "adaptive_bands": AdaptiveBands,
    "dspot": Dspot,
    "half_space_trees": partial(OfEntities, make=HalfSpaceTrees),
    "loda": partial(OfEntities, make=Loda),
}
"""Methods for series."""

EDGE_METHODS = ("unseen",)
"""Methods for edges."""

DEFAULT = ("stray",)
"""Those that run on series if none is named: one, so that `--scores` has one row for an entity and step."""
