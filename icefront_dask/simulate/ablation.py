"""The simulator without one of its ingredients, to learn which of them a network needs.

Nothing is drawn differently: an ingredient is taken away after everything was drawn, so a scene without it is the same
scene in all else.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import numpy as np

from icefront_dask.errors import ConfigError
from icefront_dask.simulate.landscape import FrontShape, Landscape
from icefront_dask.simulate.layers import Layers, Surface
from icefront_dask.simulate.optical import Sky
from icefront_dask.simulate.sar import Radar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["INGREDIENTS", "check_ingredients", "without"]

Part = TypeVar("Part", Landscape, FrontShape, Surface, Layers, Radar, Sky)


class _Ingredient(NamedTuple):
    what: str
    changes: Mapping[type, Callable[[Any], dict[str, Any]]]


INGREDIENTS = {
    "walls": _Ingredient("rough walls of fjords", {Landscape: lambda _: {"wall_rms_m": 0.0}}),
    "bends": _Ingredient("bends of fjords", {Landscape: lambda _: {"bend_m": 0.0}}),
    "islands": _Ingredient("islands", {Landscape: lambda _: {"islands": ()}}),
    "tributaries": _Ingredient("tributaries", {Landscape: lambda _: {"tributary": None}}),
    "overhangs": _Ingredient(
        "two-dimensional warp of the front", {Landscape: lambda _: {"overhang_m": 0.0, "chip_m": 0.0}}
    ),
    "fractal-front": _Ingredient("fractal roughness of the front", {FrontShape: lambda _: {"rms_m": 0.0}}),
    "notches": _Ingredient("calved notches", {FrontShape: lambda _: {"notch_m": 0.0}}),
    "rifts": _Ingredient("rifts inland of the front", {Surface: lambda _: {"rift_m": None}}),
    "bergs": _Ingredient("tabular bergs", {Surface: lambda _: {"bergs": ()}}),
    "calved-bergs": _Ingredient("the piece calved last, afloat", {Surface: lambda _: {"calved_m": None}}),
    "melange": _Ingredient("mélange", {Surface: lambda _: {"cover": 0.0}}),
    "fast-ice": _Ingredient("edges of fast ice", {Surface: lambda _: {"fast_edge_m": 0.0}}),
    "melt-line": _Ingredient("melt up to an altitude", {Surface: lambda _: {"melt_line_m": None}}),
    "crevasses": _Ingredient("texture of crevasses", {Layers: lambda x: {"crevasse": np.zeros_like(x.crevasse)}}),
    "stripes": _Ingredient("flow stripes and moraines", {Layers: lambda x: {"stripe": np.zeros_like(x.stripe)}}),
    "relief": _Ingredient("relief, with its shadow", {Layers: lambda x: {"elevation": np.zeros_like(x.elevation)}}),
    "cliff": _Ingredient("bright cliffs towards the radar", {Radar: lambda _: {"cliff": 0.0}}),
    "false-cliff": _Ingredient("lines of an outdated elevation model", {Radar: lambda _: {"false_cliff": None}}),
    "speckle": _Ingredient("speckle", {Radar: lambda _: {"looks": 1e5}}),
    "speckle-correlation": _Ingredient("correlation of speckle", {Radar: lambda _: {"smooth_px": 0.0}}),
    "noise-floor": _Ingredient("noise floor", {Radar: lambda _: {"floor_db": (-60.0, -60.0)}}),
    "ramp": _Ingredient("incidence ramp", {Radar: lambda _: {"ramp_db_per_px": 0.0}}),
    "clouds": _Ingredient("clouds", {Sky: lambda _: {"cloud_share": 0.0}}),
}


def without(part: Part, ingredients: Iterable[str]) -> Part:
    """Return a drawn part of a scene without some ingredients; those of other parts change nothing."""
    for name in ingredients:
        change = INGREDIENTS[name].changes.get(type(part))
        if change is not None:
            part = replace(part, **change(part))
    return part


def check_ingredients(names: Iterable[str]) -> None:
    """Raise where a name is none of `INGREDIENTS`.

    Raises
    ------
    ConfigError
    """
    if unknown := sorted(set(names) - set(INGREDIENTS)):
        raise ConfigError(f"the simulator has no ingredient {unknown[0]!r}; it has: {', '.join(INGREDIENTS)}")
