"""The same acquisition twice in a catalogue: reprocessed, delivered again, or promoted to a better tier."""

from __future__ import annotations

import re
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask.catalog.wellformed import utc

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["baseline", "duplicates"]

_LANDSAT = re.compile(r"^(L[COTEM]0\d)_L\w{3}_(\d{6})_(\d{8})_(?:(\d{8})_)?\d\d_(RT|T1|T2)")
_OPERA = re.compile(r"^OPERA_L2_RTC-S1_(T\d{3}-\d{6}-IW\d)_(\d{8}T\d{6})Z_(\d{8}T\d{6})Z_(S1[A-D])_\d+_v([\d.]+)")
_TIERS = {"T1": 2, "T2": 1, "RT": 0}
_SAME_START = pd.Timedelta(seconds=1)
_SAME_FOOTPRINT = 0.8  # intersection over union


def duplicates(items: Sequence[Mapping[str, Any]], footprints: Sequence[Any]) -> dict[int, int]:
    """Return the rows that repeat another row's acquisition, each with the row to keep.

    Landsat: same satellite, path, row and date in one collection; tier 1 goes before tier 2 and real time,
    then the newest processing. OPERA: the same burst, time and satellite; the newest version, then processing,
    stays. Other radar: same platform, absolute orbit, data take and polarisations, starts
    within a second and the same footprint, in one collection; the newest baseline stays, see :func:`baseline`, then the
    newest processing. Items which state too little are kept.

    Parameters
    ----------
    items : sequence of mapping
        STAC items.
    footprints : sequence of shapely geometry or None
        Of the items, OGC:CRS84.
    """
    groups: defaultdict[tuple[Any, ...], list[int]] = defaultdict(list)
    for row, item in enumerate(items):
        key = _key(item)
        if key is not None:
            groups[key].append(row)
    repeated: dict[int, int] = {}
    for rows in groups.values():
        ranked = sorted(rows, key=lambda row: _rank(items[row]), reverse=True)
        kept: list[int] = []
        for row in ranked:
            same = next((k for k in kept if _same(items, footprints, row, k)), None)
            if same is None:
                kept.append(row)
            else:
                repeated[row] = same
    return repeated


def baseline(item: Mapping[str, Any]) -> tuple[int, ...]:
    """Return the version of the processor that made an item, as ``(3, 40)``; empty where the item does not say.

    Of STAC's processing extension: ``processing:version``, else the ground segment's entry in ``processing:software``
    (``Sentinel-1 IPF``).
    """
    properties = item.get("properties") or {}
    software = properties.get("processing:software")
    listed = software.items() if isinstance(software, dict) else ()
    stated = properties.get("processing:version") or next((v for name, v in listed if "IPF" in str(name)), "")
    return tuple(int(part) for part in re.findall(r"\d+", str(stated)))


def _key(item: Mapping[str, Any]) -> tuple[Any, ...] | None:
    properties = item.get("properties") or {}
    if match := _LANDSAT.match(str(item.get("id", ""))):
        return (item.get("collection"), *match.group(1, 2, 3))
    if match := _OPERA.match(str(item.get("id", ""))):
        return (item.get("collection"), *match.group(1, 2, 4))
    orbit = properties.get("sat:absolute_orbit")
    if orbit is None:
        return None
    platform = str(properties.get("platform", "")).lower()
    polarisations = tuple(sorted(properties.get("sar:polarizations") or ()))
    take = str(properties.get("s1:datatake_id", "")).lower()
    return (item.get("collection"), platform, int(orbit), take, polarisations)


def _rank(item: Mapping[str, Any]) -> tuple[Any, ...]:
    properties = item.get("properties") or {}
    match, burst = _LANDSAT.match(str(item.get("id", ""))), _OPERA.match(str(item.get("id", "")))
    tier = _TIERS[match.group(5)] if match else 0
    stamp = match.group(4) if match else f"{burst.group(5)} {burst.group(3)}" if burst else None
    processed = stamp or properties.get("s1:processing_datetime") or properties.get("processing:datetime") or ""
    return (
        tier,
        baseline(item),
        str(processed),
        str(properties.get("updated") or properties.get("created") or ""),
        str(item["id"]),
    )


def _same(items: Sequence[Mapping[str, Any]], footprints: Sequence[Any], a: int, b: int) -> bool:
    if _LANDSAT.match(str(items[a].get("id", ""))) or _OPERA.match(str(items[a].get("id", ""))):
        return True
    if footprints[a] is None or footprints[b] is None or abs(_start(items[a]) - _start(items[b])) > _SAME_START:
        return False
    union = footprints[a].union(footprints[b]).area
    return bool(union > 0 and footprints[a].intersection(footprints[b]).area / union >= _SAME_FOOTPRINT)


def _start(item: Mapping[str, Any]) -> pd.Timestamp:
    properties = item.get("properties") or {}
    return utc(str(properties.get("start_datetime") or properties.get("datetime")))
