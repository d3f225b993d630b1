"""Whether a scene is optical or radar: by its bands, its sensors, or what the name of its file says."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["KIND_OF_FAMILY", "Kind", "kind_of", "kind_of_file"]

Kind: TypeAlias = Literal["optical", "radar"]

KIND_OF_FAMILY: dict[str, Kind] = {"landsat": "optical", "sentinel-1": "radar"}
_BANDS: dict[Kind, frozenset[str]] = {
    "radar": frozenset({"hh", "hv", "vv", "vh"}),
    "optical": frozenset({"green", "red", "nir", "swir16", "pan", "thermal"}),
}
_SENSORS: dict[str, Kind] = {"C-SAR": "radar", **dict.fromkeys(("MSS", "TM", "ETM+", "OLI"), "optical")}

# Parts of the names of products, and words that people put into names of files.
_PRODUCTS: dict[Kind, re.Pattern[str]] = {
    "optical": re.compile(r"l[cetmo]?0?[1-9]|landsat\d?|oli|etm|mss|s2[a-d]?|sentinel2"),
    "radar": re.compile(
        r"s1[a-d]?|sentinel1[a-d]?|(hh|hv|vv|vh)+|grd[hm]?|iw\d?|ew\d?|a?sar|envisat|ers[12]?|t[sd]x|rsat\d?|palsar\d?"
    ),
}


def kind_of(variables: Iterable[str], sensors: Iterable[str] = ()) -> Kind | None:
    """Return what the names of bands, or else of sensors, say; None where they leave it open or disagree.

    Parameters
    ----------
    variables : iterable of str
        Of the closed list; ``grey`` says nothing.
    sensors : iterable of str
        C-SAR, OLI, ETM+, TM, MSS; others say nothing.
    """
    names = set(variables)
    found = {kind for kind, bands in _BANDS.items() if names & bands}
    found = found or {_SENSORS[sensor] for sensor in sensors if sensor in _SENSORS}
    return next(iter(found)) if len(found) == 1 else None


def kind_of_file(name: str) -> Kind | None:
    """Return what the name of an image file says of its sensor, as ``LC08_L1TP_231013_…`` or ``S1_IW_HH_…``.

    Its words, parted by what is neither letter nor digit, are compared with how the names of the products of Landsat,
    Sentinel and the radar satellites of the benchmarks begin, with sensors, polarisations and modes. None where no
    word, or words of both kinds, are found.
    """
    words = re.split(r"[^a-z0-9]+", re.sub(r"sentinel[-_ ](?=\d)", "sentinel", name.lower()))
    found = {kind for kind, product in _PRODUCTS.items() if any(product.fullmatch(word) for word in words)}
    return next(iter(found)) if len(found) == 1 else None
