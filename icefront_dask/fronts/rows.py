"""Traced fronts and what is known of their scene as rows of the fronts table, in true ground measure."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias

import geopandas as gpd
import numpy as np
import pandas as pd
import pyproj
import shapely

from icefront_dask.cube.quality import Quality
from icefront_dask.errors import InputError, NotGeoreferencedError
from icefront_dask.fronts.backscatter import inland_db
from icefront_dask.fronts.table import frame
from icefront_dask.regions import flow_ends, mask

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from icefront_dask.fronts.trace import TracedFront

    Point: TypeAlias = tuple[float, float]

__all__ = ["Guide", "crs_name", "front_rows", "guide", "true_length_m", "true_pixel_size_m"]

_END_PX = 3  # round an end of a line, where the edge of the data can have stopped it


@dataclass(frozen=True)
class Guide:
    """What a region says about the fronts on one grid.

    Attributes
    ----------
    fjord : (H, W) bool ndarray or None
        Where an ice-ocean boundary can be.
    flow : tuple of ((row, column), (row, column)), or None
        Inland and seaward end of each flowline, where it is on the grid and in the fjord.
    pixel_size_m : float
        True size of a pixel.
    """

    fjord: npt.NDArray[np.bool_] | None
    flow: tuple[tuple[Point, Point], ...] | None
    pixel_size_m: float


def crs_name(crs: Any) -> str:
    """Return a CRS as ``EPSG:3413``, or as WKT where it has no code.

    Raises
    ------
    NotGeoreferencedError
        For no CRS.
    """
    if crs is None:
        raise NotGeoreferencedError("the data have no CRS; write one with data.rio.write_crs('EPSG:…')")
    whole = pyproj.CRS.from_user_input(str(crs))
    code = whole.to_authority()
    return ":".join(code) if code else str(whole.to_wkt())


@lru_cache(maxsize=16)
def _ground(crs: str) -> tuple[Any, Any]:
    """Return the transformer to longitude and latitude of the CRS's own datum, and its ellipsoid."""
    source = pyproj.CRS.from_user_input(crs)
    geod = source.get_geod()
    if geod is None or source.geodetic_crs is None:
        raise NotGeoreferencedError(f"CRS {crs[:60]!r} has no ellipsoid; project the data to one that has")
    return pyproj.Transformer.from_crs(source, source.geodetic_crs, always_xy=True), geod


def true_length_m(xy: npt.NDArray[np.float64], crs: str) -> float:
    """Return the length of a line on the ellipsoid, metres.

    Parameters
    ----------
    xy : (n, 2) float64 ndarray
        Vertices in `crs`.
    crs : str
    """
    transformer, geod = _ground(crs)
    lon, lat = transformer.transform(xy[:, 0], xy[:, 1])
    return float(geod.line_length(lon, lat))


def true_pixel_size_m(geobox: Any) -> float:
    """Return the side of a square of a pixel's true area at the centre of a grid, metres."""
    crs, affine = crs_name(geobox.crs), geobox.affine
    rows, cols = geobox.shape.yx
    corner = np.array([cols // 2, rows // 2])
    sides = [
        true_length_m(np.column_stack(_apply(affine, *np.array([corner, corner + step]).T)), crs)
        for step in (np.array([1, 0]), np.array([0, 1]))
    ]
    return math.sqrt(sides[0] * sides[1])


def _apply(
    affine: Any, x: npt.NDArray[Any], y: npt.NDArray[Any]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    return affine.a * x + affine.b * y + affine.c, affine.d * x + affine.e * y + affine.f


def guide(region: Any, geobox: Any) -> Guide:
    """Return what a region says about the fronts on a grid.

    Parameters
    ----------
    region : Region or None
    geobox : odc.geo.geobox.GeoBox
        In any CRS.

    Raises
    ------
    InputError
        If the region's fjord has no pixel on the grid.
    """
    size = true_pixel_size_m(geobox)
    if region is None:
        return Guide(None, None, size)
    fjord = None
    if region.fjord is not None:
        fjord = mask(_moved(region.fjord, region.crs, geobox), geobox)
        if not fjord.any():
            raise InputError(
                f"the fjord of region {region.name!r} has no pixel on the grid of the data; "
                "pass the region that belongs to them"
            )
    ends = [flow_ends(_moved(line, region.crs, geobox), geobox, fjord) for line in region.flowlines]
    return Guide(fjord, tuple(pair for pair in ends if pair is not None) or None, size)


def _moved(geometry: Any, crs: str, geobox: Any) -> Any:
    target = crs_name(geobox.crs)
    if pyproj.CRS.from_user_input(crs) == pyproj.CRS.from_user_input(target):
        return geometry
    return gpd.GeoSeries([geometry], crs=crs).to_crs(target).iloc[0]


def front_rows(
    traced: Sequence[TracedFront],
    scene: Any,
    region: Any,
    geobox: Any,
    *,
    quality: npt.NDArray[np.integer[Any]] | None = None,
    power: npt.NDArray[np.float32] | None = None,
    fjord: npt.NDArray[np.bool_] | None = None,
    model: str | None = None,
    model_sha256: str | None = None,
    simplify_m: float = 0.0,
) -> gpd.GeoDataFrame:
    """Return the fronts of one scene as rows of the fronts table.

    Parameters
    ----------
    traced : sequence of TracedFront
        What :func:`~icefront_dask.fronts.trace.trace_scene` gave, on the grid `geobox`. A scene that failed
        has ``TracedFront.none(Status.FAILED, reason)``.
    scene : cube Scene or mapping
        ``scene_id``, ``item_ids``, ``time`` and, where they are known, ``platform``, ``sensor``,
        ``orbit_direction``, ``relative_orbit`` and ``geolocation_sigma_m``.
    region : Region or None
    geobox : odc.geo.geobox.GeoBox
        Grid of the scene.
    quality : (H, W) uint16 ndarray, optional
        Quality bits. Those under a line and up to 3 px round its ends are told of it; an end at the edge of the grid
        has NODATA: there the front leaves the scene.
    power : (H, W) float32 ndarray, optional
        Linear power of the scene's co-polarised radar band, for ``gamma0_db``; without it that is NaN.
    fjord : (H, W) bool ndarray, optional
        Where ``gamma0_db`` is taken.
    model, model_sha256 : str, optional
        The network that made the probabilities.
    simplify_m : float
        Vertices which the line keeps this near without, in true metres, are left out (Douglas-Peucker); the others
        stay where they are. 0 keeps all.

    Returns
    -------
    GeoDataFrame
        See :data:`icefront_dask.fronts.table.COLUMNS`; in the region's CRS, else in that of the grid.
        ``uncertainty_m`` is the tracing's own and ``geolocation_sigma_m`` in quadrature; ``length_m`` is
        measured on the ellipsoid, ``pixel_size_m`` at the centre of the grid.
    """
    grid_crs = crs_name(geobox.crs)
    crs = grid_crs if region is None else str(region.crs)
    size = true_pixel_size_m(geobox)
    sigma = float(_known(scene, "geolocation_sigma_m") or 0.0)
    sigma = sigma if math.isfinite(sigma) else 0.0
    items = _known(scene, "item_ids") or ()
    orbit = _known(scene, "relative_orbit")
    common = {
        "region": "" if region is None else region.name,
        "scene_id": str(_known(scene, "scene_id") or ""),
        "item_ids": items.split() if isinstance(items, str) else [str(item) for item in items],
        "datetime": pd.Timestamp(_known(scene, "time")),
        "platform": _text(scene, "platform"),
        "sensor": _text(scene, "sensor"),
        "orbit_direction": _text(scene, "orbit_direction"),
        "relative_orbit": int(orbit) if orbit else pd.NA,
        "crs": crs,
        "pixel_size_m": size,
        "model": model,
        "model_sha256": model_sha256,
    }
    rows = []
    for number, front in enumerate(traced):
        line, length = None, math.nan
        if len(front.xy):
            x, y = _apply(geobox.affine, *front.xy.T)
            xy = np.column_stack([x, y])
            # The glacier stays on the left on grids whose rows go north.
            xy = xy if geobox.affine.determinant < 0 else xy[::-1]
            line = _simplified(shapely.LineString(xy), simplify_m * _map_scale(geobox, size))
            length = true_length_m(shapely.get_coordinates(line), grid_crs)
        rows.append(
            common
            | {
                "front_id": number,
                "geometry": line,
                "length_m": length,
                "fjord_share": front.fjord_share,
                "gap_fraction": front.gap_fraction,
                "confidence": front.confidence,
                "uncertainty_m": math.hypot(front.uncertainty_px * size, sigma),
                "gamma0_db": inland_db(power, front.xy, pixel_size_m=size, fjord=fjord),
                "status": str(front.status),
                "reason": str(front.reason),
                "quality": _bits(front.xy, quality),
            }
        )
    table = frame(rows, grid_crs)
    return table if crs == grid_crs else table.to_crs(crs)


def _simplified(line: shapely.LineString, tolerance: float) -> shapely.LineString:
    return line if tolerance <= 0 else shapely.simplify(line, tolerance, preserve_topology=True)


def _map_scale(geobox: Any, pixel_size_m: float) -> float:
    """Return the units of a grid's CRS in a true metre."""
    return math.sqrt(abs(geobox.affine.determinant)) / pixel_size_m


def _known(scene: Any, name: str) -> Any:
    value = scene.get(name) if isinstance(scene, Mapping) else getattr(scene, name, None)
    return value.item() if isinstance(value, np.generic) and not isinstance(value, np.datetime64) else value


def _text(scene: Any, name: str) -> str | None:
    return str(_known(scene, name) or "") or None


def _bits(xy: npt.NDArray[np.float64], quality: npt.NDArray[np.integer[Any]] | None) -> int:
    """Return the quality bits under a line and at its ends, or without a line those that all pixels share."""
    if quality is None:
        return 0
    if not len(xy):
        return int(np.bitwise_and.reduce(quality, axis=None))
    reach = np.arange(-_END_PX, _END_PX + 1)
    ends = (xy[[0, -1], None] + np.stack(np.meshgrid(reach, reach), axis=-1).reshape(-1, 2)).reshape(-1, 2)
    cols, rows = np.floor(np.concatenate([xy, ends])).astype(np.intp).T
    inside = (cols >= 0) & (cols < quality.shape[1]) & (rows >= 0) & (rows < quality.shape[0])
    beyond = 0 if inside[len(xy) :].all() else int(Quality.NODATA)
    return int(np.bitwise_or.reduce(quality[rows[inside], cols[inside]], initial=beyond))
