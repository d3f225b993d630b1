"""Which items are of one overpass: slices of a data take, rows of a path."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.sensors import SAME_OVERPASS

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping, Sequence

    import numpy.typing as npt

__all__ = ["PASS_PROPERTIES", "overpasses", "pass_of", "track_of"]

PASS_PROPERTIES = (
    "s1:datatake_id",
    "sat:absolute_orbit",
    "sat:relative_orbit",
    "landsat:wrs_path",
    "sat:orbit_state",
)
"""What of an item's properties tells its overpass, besides platform and time."""

_IN_ID = re.compile(r"^(?:L[A-Z]\d{2}_[A-Z0-9]{4}_(\d{3})\d{3}_|OPERA_L2_RTC-S1_T(\d{3})-)")


def track_of(item_id: str, properties: Mapping[str, Any]) -> int:
    """Return the relative orbit or WRS path of an item, 0 where neither it nor its id says."""
    stated = properties.get("sat:relative_orbit") or properties.get("landsat:wrs_path")
    if stated:
        return int(stated)
    match = _IN_ID.match(item_id)
    return int(match.group(1) or match.group(2)) if match else 0


def pass_of(item_id: str, properties: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return what the items of one pass of one platform share: data take, track and direction.

    Without an orbit nothing says that two items belong together: such an item shares it with no other.

    Parameters
    ----------
    item_id : str
        Id of the item.
    properties : mapping
        Its properties, at least :data:`PASS_PROPERTIES` as far as it has them.
    """
    take = properties.get("s1:datatake_id") or properties.get("sat:absolute_orbit")
    track = track_of(item_id, properties)
    if not take and not track:
        return ("item", item_id, "")
    return (str(take or ""), str(track or ""), str(properties.get("sat:orbit_state") or "").lower())


def overpasses(keys: Sequence[Hashable], times: npt.NDArray[np.datetime64]) -> npt.NDArray[np.int64]:
    """Return the overpass of each item: those with one key that follow one another within five minutes are one.

    Parameters
    ----------
    keys : sequence of hashable
        One an item: what all items of an overpass have in common, :func:`pass_of` in it.
    times : ndarray
        Dims (item,), datetime64: acquisition. An item without one (NaT) is an overpass by itself.

    Returns
    -------
    ndarray
        Dims (item,), int64, from 0: the same number for items of one overpass, whatever order they come in.
    """
    codes: dict[Hashable, int] = {}
    code = np.array([codes.setdefault(key, len(codes)) for key in keys], dtype=np.int64)
    order = np.lexsort((times, code))
    follows = np.diff(times[order]) <= np.timedelta64(SAME_OVERPASS)
    begins = np.ones(len(code), dtype=np.int64)
    begins[1:] = ~(follows & (np.diff(code[order]) == 0))
    numbers = np.empty(len(code), dtype=np.int64)
    numbers[order] = np.cumsum(begins) - 1
    return numbers
