"""From STAC items to scenes: one overpass each, with what is needed to read it and nothing else."""

from __future__ import annotations

import dataclasses
import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import shapely

from icefront_dask.catalog.duplicates import baseline
from icefront_dask.catalog.hrefs import check_local, is_url
from icefront_dask.catalog.overpasses import overpasses, pass_of, track_of
from icefront_dask.catalog.wellformed import bands_of, well_formed
from icefront_dask.config import section
from icefront_dask.errors import CatalogError, ConfigError, InputError, MissingAssetError, NoItemsError
from icefront_dask.sensors import FAMILIES, SIGMA_M, VARIABLES, Band, collection_for

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

__all__ = ["Radar", "Scene", "Source", "item_dicts", "scenes"]

_SLC_FAILURE = np.datetime64("2003-05-31T21:42:35", "ns")
_LOOKS = 4.4  # IW GRDH
_WHERE_ASKED = frozenset({"pan", "thermal"})
_LANDSAT = re.compile(r"^L[COTEM](\d\d)_L(\d)\w\w_(\d{6})_(\d{8})_")


@dataclass(frozen=True)
class Radar:
    """How radar images are placed.

    Parameters
    ----------
    geometry : {"range_doppler", "gcp_front_height", "gcp"}
        Over the elevation, at the height of the front, or by the product's control points as they are.
    freeboard_m : float
        Height of the front above the geoid.
    elevation, geoid : str, optional
        As of a region.
    """

    geometry: str
    freeboard_m: float = 30.0
    elevation: str | None = None
    geoid: str | None = None


@dataclass(frozen=True)
class Source:
    """What of one item is needed to read it. Hrefs are unsigned.

    ``kind`` is how its numbers are decoded: ``sar`` linear power, ``landsat`` numbers with quality bands,
    ``grd`` a radar image that `radar` places, ``grey`` as they are. ``footprint`` is well-known binary in
    longitude and latitude. ``looks`` is the equivalent number of a calibrated radar image.
    """

    item_id: str
    kind: str
    bands: tuple[Band, ...]
    quality_hrefs: tuple[tuple[str, str], ...] = ()
    dropped_bit: bool = False
    slc_off: bool = False
    footprint: bytes | None = None
    radar: Radar | None = None
    looks: float | None = None

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that the item has."""
        return tuple(band.variable for band in self.bands)


@dataclass(frozen=True)
class Scene:
    """One overpass: the items of one datatake or of one path and date, laid side by side.

    Parameters
    ----------
    scene_id : str
        Slug of platform and time, then 8 hex digits of the SHA-256 of the sorted item ids.
    item_ids : tuple of str
        Sorted.
    time : numpy.datetime64
        [ns], UTC, of the earliest item.
    platform, sensor : str
        As ``sentinel-1a`` and ``C-SAR``; empty where the items do not say.
    orbit_direction : str
        ``ascending``, ``descending`` or empty.
    relative_orbit : int
        Relative orbit or WRS path; 0 where the items do not say.
    geometry : str
        How the pixels were placed, see ``sensors``.
    geolocation_sigma_m : float
        The largest among the items, in metres.
    calibration : str
        gamma0 | sigma0 | reflectance | uncalibrated.
    sources : tuple of Source
        In order of precedence: the newest baseline, then by time and id.
    """

    scene_id: str
    item_ids: tuple[str, ...]
    time: np.datetime64
    platform: str
    sensor: str
    orbit_direction: str
    relative_orbit: int
    geometry: str
    geolocation_sigma_m: float
    calibration: str
    sources: tuple[Source, ...]

    @property
    def variables(self) -> tuple[str, ...]:
        """Variables that any of the items has, in the order of ``sensors.VARIABLES``."""
        found = {name for source in self.sources for name in source.variables}
        return tuple(name for name in VARIABLES if name in found)


def item_dicts(items: Any) -> list[dict[str, Any]]:
    """Return STAC items as plain dictionaries.

    Parameters
    ----------
    items : Items, or iterable of pystac.Item or dict
        What `search()` returns, or items from elsewhere, whose hrefs must be absolute.

    Raises
    ------
    CatalogError
        For items from elsewhere that name local files outside the folders of ``catalog.allow_roots``; those of a
        pystac item may also lie in the folder that it was read from.
    """
    if hasattr(items, "to_dicts"):
        return list(items.to_dicts())  # `search` has checked its hrefs
    return [_from_elsewhere(item) for item in items]


def _from_elsewhere(item: Any) -> dict[str, Any]:
    if isinstance(item, dict):
        check_local([item])
        return item
    own = item.get_self_href()
    content: dict[str, Any] = item.to_dict(include_self_link=False, transform_hrefs=False)
    check_local([content], None if own is None or is_url(own) else Path(own.removeprefix("file://")).parent)
    return content


def scenes(
    items: Any,
    region: Any = None,
    family: str | None = None,
    *,
    variables: Sequence[str] | None = None,
    extra_collections: Mapping[str, Any] | None = None,
) -> list[Scene]:
    """Group items into scenes: one overpass each, in a fixed order.

    Items of one collection, platform, orbit and direction which follow one another within 5 minutes are one
    scene, whatever order they come in. Items whose footprint misses the region are left out, and Landsat Level 1
    items whose acquisition is there as Level 2.

    Parameters
    ----------
    items : Items, or iterable of pystac.Item or dict
        Unsigned hrefs.
    region : Region, optional
        Where they are wanted; without it all items count.
    family : {"sentinel-1", "landsat"}, optional
        The family that is wanted; without it all.
    variables : sequence of str, optional
        Only these; items that have none of them are refused. Without it all but the panchromatic and thermal
        bands, unless an item has nothing else.
    extra_collections : mapping, optional
        Collections of the run's configuration, see ``sensors.collection_for``.

    Returns
    -------
    list of Scene
        Sorted by time, then scene id.

    Raises
    ------
    NoItemsError
        If no item is left.
    MissingAssetError
        For an item without an asset that its collection promises.
    InputError
        For a family that does not exist, or for variables with two calibrations in one family.
    CatalogError
        For an item without a date, and as :func:`item_dicts`.
    """
    if family is not None and family not in FAMILIES:
        raise InputError(f"family {family!r} is not one of {', '.join(FAMILIES)}")
    parsed = []
    for item in _touching(sorted(map(well_formed, item_dicts(items)), key=lambda i: str(i["id"])), region):
        collection = _over_ground(collection_for(item, extra_collections), region)
        if family in {None, collection.family}:
            parsed.append(_Parsed(item, collection, variables, _radar(collection, region)))
    parsed = _without_level_1_twins(parsed)
    if not parsed:
        where = f" over region {region.name!r}" if region is not None else ""
        raise NoItemsError(f"no item of family {family or 'any'!r}{where}; widen the search or check the outline")
    _check_calibrations(parsed)
    found = [_scene(group) for group in _overpasses(parsed)]
    return sorted(found, key=lambda scene: (scene.time, scene.scene_id))


class _Parsed:
    """One item with its properties read out."""

    def __init__(
        self, item: Mapping[str, Any], collection: Any, variables: Sequence[str] | None, radar: Radar | None
    ) -> None:
        p = item.get("properties") or {}
        self.id = str(item["id"])
        self.time = _time(item)
        self.collection = collection
        self.platform = str(collection.platform or p.get("platform") or "").lower()
        self.sensor = str(collection.sensor or "")
        self.baseline = baseline(item)
        self.direction = str(p.get("sat:orbit_state") or "").lower()
        self.orbit = track_of(self.id, p)
        self.source = _source(item, collection, variables, self.time, radar)
        self.key = (collection.id, self.platform, collection.calibration, pass_of(self.id, p))


def _over_ground(collection: Any, region: Any) -> Any:
    """Place radar images over a region's elevation where it states one, unless the user wants otherwise."""
    if not collection.annotation or collection.geometry not in {"gcp_front_height", "range_doppler"}:
        return collection
    wanted = section("cube")["grd_geometry"]
    elevation = getattr(region, "elevation", None)
    if wanted == "range_doppler" and elevation is None:
        raise ConfigError(
            "cube.grd_geometry is range_doppler, but the region states no elevation; give it one "
            "(an href, or cop-dem-glo-30), or set cube.grd_geometry to gcp_front_height"
        )
    if elevation is None or wanted == "gcp_front_height":
        return collection
    return dataclasses.replace(collection, geometry="range_doppler", geolocation_sigma_m=SIGMA_M["range_doppler"])


def _radar(collection: Any, region: Any) -> Radar | None:
    if not collection.annotation:
        return None
    elevation = getattr(region, "elevation", None) if collection.geometry == "range_doppler" else None
    geoid = None if collection.geometry == "gcp" else getattr(region, "geoid", None)
    return Radar(collection.geometry, float(section("cube")["freeboard_m"]), elevation, geoid)


def _source(
    item: Mapping[str, Any],
    collection: Any,
    variables: Sequence[str] | None,
    time: np.datetime64,
    radar: Radar | None,
) -> Source:
    has = collection.variables(item)
    if variables is None:
        wanted = [name for name in has if name not in _WHERE_ASKED] or None
    else:
        wanted = [name for name in variables if name in has]
        if not wanted:
            collection.bands(item, variables)  # raises, and names the assets
    bands = bands_of(collection, item, wanted)
    hrefs = collection.quality_assets(item)
    for role in ("qa_pixel", "qa_radsat"):
        if getattr(collection, role) and role not in hrefs:
            raise MissingAssetError(
                f"item {item['id']!r} of collection {collection.id!r} has no asset {role!r}, without which "
                "fill, clouds and saturation are unknown; leave the item out"
            )
    if radar is not None:
        kind = "grd"
    elif collection.calibration in {"gamma0", "sigma0"}:
        kind = "sar"
    else:
        kind = "landsat" if hrefs or collection.calibration == "reflectance" else "grey"
    geometry = item.get("geometry")
    return Source(
        item_id=str(item["id"]),
        kind=kind,
        bands=tuple(bands[name] for name in VARIABLES if name in bands),
        quality_hrefs=tuple(sorted(hrefs.items())),
        dropped_bit=collection.sensor in {"MSS", "TM", "ETM+"},
        slc_off=bool(collection.platform == "landsat-7" and time > _SLC_FAILURE),
        footprint=shapely.to_wkb(shapely.geometry.shape(geometry)) if geometry else None,
        radar=radar,
        looks=_looks(item) if collection.calibration in {"gamma0", "sigma0"} else None,
    )


def _without_level_1_twins(parsed: list[_Parsed]) -> list[_Parsed]:
    """Leave out Landsat Level 1 items where Level 2 was made of the same acquisition."""
    named = [_LANDSAT.match(p.id) for p in parsed]
    made = {m.group(1, 3, 4) for m in named if m and m.group(2) == "2"}
    return [p for p, m in zip(parsed, named, strict=True) if not (m and m.group(2) == "1" and m.group(1, 3, 4) in made)]


def _looks(item: Mapping[str, Any]) -> float:
    """Equivalent number of looks, of the best resolved product where the item does not say."""
    return float((item.get("properties") or {}).get("sar:looks_equivalent_number") or _LOOKS)


def _overpasses(parsed: Sequence[_Parsed]) -> list[list[_Parsed]]:
    """Group items by overpass, each sorted by time, then id."""
    numbers = overpasses([p.key for p in parsed], np.array([p.time for p in parsed]))
    groups: dict[int, list[_Parsed]] = {}
    for number, p in zip(numbers.tolist(), parsed, strict=True):
        groups.setdefault(number, []).append(p)
    return [sorted(group, key=lambda p: (p.time, p.id)) for group in groups.values()]


def _scene(group: list[_Parsed]) -> Scene:
    """Make a scene of items that are sorted by time, then id."""
    first = group[0]
    ids = tuple(sorted(p.id for p in group))
    if len(set(ids)) != len(ids):
        raise InputError(f"item {first.id!r} is given twice; remove the duplicates")
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:8]
    stamp = pd.Timestamp(first.time).strftime("%Y%m%dt%H%M%S")
    platform = re.sub(r"[^a-z0-9.]+", "-", first.platform).strip("-.") or "unknown"
    return Scene(
        scene_id=f"{platform}-{stamp}-{digest}",
        item_ids=ids,
        time=first.time,
        platform=first.platform,
        sensor=first.sensor,
        orbit_direction=first.direction,
        relative_orbit=first.orbit,
        geometry=first.collection.geometry,
        geolocation_sigma_m=max(p.collection.geolocation_sigma_m for p in group),
        calibration=first.collection.calibration,
        sources=tuple(p.source for p in sorted(group, key=lambda p: p.baseline, reverse=True)),
    )


def _check_calibrations(parsed: Iterable[_Parsed]) -> None:
    """One variable of a cube has one calibration."""
    seen: dict[tuple[str, str], tuple[str, str]] = {}
    for p in parsed:
        for name in p.source.variables:
            key, now = (p.collection.family, name), (p.collection.calibration, p.collection.id)
            calibration, collection = seen.setdefault(key, now)
            if calibration != now[0]:
                raise InputError(
                    f"{name!r} is {calibration} in collection {collection!r} but {now[0]} in {now[1]!r}; "
                    "put them into cubes of their own"
                )


def _time(item: Mapping[str, Any]) -> np.datetime64:
    p = item.get("properties") or {}
    stamps = [p.get("datetime")] if p.get("datetime") else [p.get("start_datetime"), p.get("end_datetime")]
    try:
        times = [pd.to_datetime(stamp, utc=True, format="ISO8601") for stamp in stamps if stamp]
    except ValueError as error:
        raise CatalogError(f"item {item.get('id')!r} has an unreadable date: {error}") from None
    if not times:
        raise CatalogError(f"item {item.get('id')!r} has no datetime; correct it or leave the item out")
    middle = times[0] + (times[-1] - times[0]) / 2
    return np.datetime64(middle.tz_localize(None).to_datetime64(), "ns")


def _touching(items: list[dict[str, Any]], region: Any) -> list[dict[str, Any]]:
    """Leave out the items whose footprint misses the region; one without a footprint stays."""
    if region is None:
        return items
    from icefront_dask.catalog.geometry import touches

    outlines = [shapely.geometry.shape(i["geometry"]) if i.get("geometry") else None for i in items]
    hits = touches(outlines, region)
    return [item for item, outline, hit in zip(items, outlines, hits, strict=True) if hit or outline is None]
