"""A region: where a front is looked for, in which projection, on which grid.

``Region`` is a frozen value. Its geometries are in its own projected CRS; true ground measure follows from
its ``scale_factor``. ``read_regions`` and ``write_regions`` move regions in and out of vector files. The
module can be called: ``icefront_dask.regions(path)`` is ``read_regions(path)``.
"""

from __future__ import annotations

import dataclasses
import math
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np
import pyproj
import shapely
from shapely.geometry import LineString, MultiPolygon, Polygon, mapping, shape

from icefront_dask._region_checks import (
    KINDS,
    NAME_PATTERN,
    check_crs,
    check_line,
    check_name,
    check_place,
    check_polygon,
    working_crs,
)
from icefront_dask.errors import RegionError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy.typing as npt

__all__ = ["KINDS", "NAME_PATTERN", "Region", "flow_ends", "mask", "read_regions", "working_crs", "write_regions"]

GRID_STEP_M = 120  # grids of 10, 15, 20, 30, 40, 60 and 120 m share their edges
_GEOMETRIES = ("outline", "fjord", "box", "reference_line", "grounding_line")


@dataclass(frozen=True, eq=False)
class Region:
    """One glacier front or stretch of ice shelf.

    Parameters
    ----------
    name : str
        Slug, ``^[a-z0-9][a-z0-9._-]{0,62}$``; it names folders and Zarr groups.
    outline : Polygon or MultiPolygon
        What is read, in `crs`; the grid covers its bounds.
    crs : str
        Projected CRS in metres that pyproj understands, as ``EPSG:3413``, ``EPSG:3031`` or a UTM zone.
    kind : {"outlet", "tongue", "ice_shelf"}
        The sort of front.
    fjord : Polygon or MultiPolygon, optional
        Where a boundary of ice and ocean can be.
    flowlines : sequence of LineString
        Each from inland to sea.
    box : Polygon, optional
        Box of the rectilinear box method.
    reference_line, grounding_line : LineString or MultiLineString, optional
        Zero line of ice-shelf positions; where the ice begins to float.
    elevation : str, optional
        Elevation above the geoid in m: href of a GeoTIFF, or ``cop-dem-glo-30`` for the Copernicus model's tiles.
    geoid : str, optional
        Height of the geoid above the WGS 84 ellipsoid in m: a number, or the href of a GeoTIFF.
    basin : str, optional
        The drainage basin which statistics are grouped by.

    Raises
    ------
    RegionError
        For a bad name, kind or CRS, an empty or self-crossing outline, degrees where metres are due,
        coordinates outside the area of the CRS, helper geometries of a wrong type or away from the outline.
    """

    name: str
    outline: Polygon | MultiPolygon
    crs: str
    kind: str = "outlet"
    fjord: Polygon | MultiPolygon | None = None
    flowlines: tuple[LineString, ...] = ()
    box: Polygon | None = None
    reference_line: Any = None
    grounding_line: Any = None
    elevation: str | None = None
    geoid: str | None = None
    basin: str | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "flowlines", tuple(self.flowlines))
        check_name(self.name)
        if self.kind not in KINDS:
            raise RegionError(f"region {self.name!r}: kind {self.kind!r} is not one of {', '.join(KINDS)}")
        object.__setattr__(self, "crs", check_crs(self.name, self.crs))
        object.__setattr__(self, "outline", check_polygon(self.name, "outline", self.outline))
        check_place(self.name, self.outline, self.crs)
        for role in ("fjord", "box"):
            if getattr(self, role) is not None:
                object.__setattr__(self, role, check_polygon(self.name, role, getattr(self, role)))
        for role in ("reference_line", "grounding_line"):
            if getattr(self, role) is not None:
                check_line(self.name, role, getattr(self, role), multi=True)
        for line in self.flowlines:
            check_line(self.name, "flowline", line, multi=False)
        helpers = [("fjord", self.fjord), ("box", self.box), *(("flowline", line) for line in self.flowlines)]
        for role, geometry in helpers:
            if geometry is not None and not geometry.intersects(self.outline):
                raise RegionError(
                    f"region {self.name!r}: its {role} lies wholly outside its outline; "
                    "check that both belong to this region and are in the same CRS"
                )

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __dask_tokenize__(self) -> tuple[Any, ...]:
        return ("icefront_dask.Region", *self._key())

    def _key(self) -> tuple[Any, ...]:
        geometries = tuple(None if g is None else shapely.to_wkb(g) for g in self._geometries())
        return (self.name, self.crs, self.kind, self.elevation, self.geoid, self.basin, geometries)

    def _geometries(self) -> tuple[Any, ...]:
        return (*(getattr(self, role) for role in _GEOMETRIES), *self.flowlines)

    @cached_property
    def areal_scale(self) -> float:
        """Projected area divided by true area, at the outline's centroid."""
        lonlat = pyproj.Transformer.from_crs(self.crs, "OGC:CRS84", always_xy=True)
        lon, lat = lonlat.transform(self.outline.centroid.x, self.outline.centroid.y)
        return float(pyproj.Proj(self.crs).get_factors(lon, lat).areal_scale)

    @cached_property
    def scale_factor(self) -> float:
        """Mean point scale at the outline's centroid: true length = projected length / ``scale_factor``."""
        return math.sqrt(self.areal_scale)

    def geobox(self, resolution: float) -> Any:
        """Return the region's one fixed grid at a resolution.

        Parameters
        ----------
        resolution : float
            Pixel size in metres of the projection.

        Returns
        -------
        odc.geo.geobox.GeoBox
            Dims (y, x), y descending; its edges are multiples of 120 m, or of the resolution where that does
            not divide 120 m, so that grids of several resolutions nest and do not depend on the data.

        Raises
        ------
        RegionError
            For a resolution that is not positive and finite.
        """
        from affine import Affine
        from odc.geo.geobox import GeoBox

        if not (math.isfinite(resolution) and resolution > 0):
            raise RegionError(f"region {self.name!r}: resolution must be a positive number of metres, got {resolution}")
        per_step = GRID_STEP_M / resolution
        nests = math.isclose(per_step, round(per_step), rel_tol=1e-9) and round(per_step) >= 1
        step = float(GRID_STEP_M) if nests else float(resolution)
        west, south, east, north = self.outline.bounds
        left, bottom = math.floor(west / step + 1e-9), math.floor(south / step + 1e-9)
        right, top = math.ceil(east / step - 1e-9), math.ceil(north / step - 1e-9)
        pixels = round(step / resolution)
        shape_yx = (max(top - bottom, 1) * pixels, max(right - left, 1) * pixels)
        origin = Affine(resolution, 0.0, left * step, 0.0, -resolution, top * step)
        return GeoBox(shape_yx, origin, self.crs)

    def patch(self, **changes: Any) -> Region:
        """Return a copy with some fields replaced, checked like a new one."""
        return dataclasses.replace(self, **changes)

    def to_dict(self) -> dict[str, Any]:
        """Return a JSON-ready mapping; geometries are GeoJSON geometries in ``crs``."""
        out: dict[str, Any] = {"name": self.name, "crs": self.crs, "kind": self.kind}
        out |= {
            role: None if g is None else _plain(mapping(g))
            for role, g in zip(_GEOMETRIES, self._geometries(), strict=False)
        }
        out["flowlines"] = [_plain(mapping(line)) for line in self.flowlines]
        return out | {"elevation": self.elevation, "geoid": self.geoid, "basin": self.basin}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Region:
        """Rebuild a region from :meth:`to_dict`; the round trip is exact.

        Raises
        ------
        RegionError
            As the constructor, and for missing or unknown keys.
        """
        known = {f.name for f in dataclasses.fields(cls) if f.init}
        if unknown := sorted(set(values) - known):
            raise RegionError(f"a region has no field {', '.join(unknown)}; its fields are {', '.join(sorted(known))}")
        if missing := sorted({"name", "outline", "crs"} - set(values)):
            raise RegionError(f"a region needs {', '.join(missing)}")
        kwargs = dict(values)
        for role in _GEOMETRIES:
            if kwargs.get(role) is not None:
                kwargs[role] = shape(kwargs[role])
        kwargs["flowlines"] = tuple(shape(line) for line in kwargs.get("flowlines") or ())
        return cls(**kwargs)


def _plain(geometry: Any) -> Any:
    """Tuples to lists, so that a JSON round trip compares equal."""
    if isinstance(geometry, dict):
        return {key: _plain(value) for key, value in geometry.items()}
    return [_plain(value) for value in geometry] if isinstance(geometry, tuple | list) else geometry


def mask(geometry: Any, geobox: Any) -> npt.NDArray[np.bool_]:
    """Return where the centres of a grid's pixels lie inside a geometry.

    Parameters
    ----------
    geometry : shapely geometry
        In the CRS of `geobox`.
    geobox : odc.geo.geobox.GeoBox
        The grid.

    Returns
    -------
    ndarray
        Dims (y, x), bool.
    """
    from rasterio.features import rasterize

    if geometry.is_empty:
        return np.zeros(geobox.shape.yx, dtype=bool)
    burned = rasterize([(geometry, 1)], out_shape=geobox.shape.yx, transform=geobox.affine, fill=0, dtype="uint8")
    return np.asarray(burned, dtype=bool)


def flow_ends(
    line: LineString, geobox: Any, fjord: Any = None
) -> tuple[tuple[float, float], tuple[float, float]] | None:
    """Return the first and the last place of a flowline on a grid and in the fjord.

    Parameters
    ----------
    line : LineString
        From inland to the sea, in the CRS of `geobox`.
    geobox : odc.geo.geobox.GeoBox
        The grid.
    fjord : ndarray, optional
        Dims (y, x), bool, or what is indexed by rows and columns as one is: where the places must lie.

    Returns
    -------
    ((row, column), (row, column)) or None
        Fractions of pixels from the grid's corner; None where fewer than two places are on the grid.
    """
    x, y = shapely.get_coordinates(line).T
    to = ~geobox.affine
    cols, rows = to.a * x + to.b * y + to.c, to.d * x + to.e * y + to.f
    along = np.concatenate([[0.0], np.cumsum(np.hypot(np.diff(cols), np.diff(rows)))])
    at = np.linspace(0.0, along[-1], max(int(along[-1] * 2), 2))
    row, col = np.interp(at, along, rows), np.interp(at, along, cols)
    height, width = geobox.shape.yx
    on = (row >= 0) & (row < height) & (col >= 0) & (col < width)
    if fjord is not None:
        on[on] = fjord[row[on].astype(np.intp), col[on].astype(np.intp)]
    places = np.flatnonzero(on)
    if len(places) < 2:
        return None
    first, last = places[0], places[-1]
    return (float(row[first]), float(col[first])), (float(row[last]), float(col[last]))


def read_regions(path: str | Path, names: Sequence[str] | None = None) -> list[Region]:
    """Read regions from GeoParquet, GeoPackage, GeoJSON or whatever else GDAL reads as vectors.

    Parameters
    ----------
    path : path
        One row a (region, role) with the columns name, kind, role (outline, fjord, flowline, box,
        reference_line, grounding_line), basin, elevation, geoid and crs (the working CRS); only ``name`` and the
        geometry are needed. Without ``role`` each row is an outline; without ``crs`` the working CRS is that
        of :func:`working_crs`.
    names : sequence of str, optional
        Read only these regions, in this order.

    Returns
    -------
    list of Region
        In the order of the file's outlines, or of `names`.

    Raises
    ------
    RegionError
        For a file that cannot be read, has no CRS or no column ``name``, for unknown roles or names, for two
        outlines with one name, and whatever :class:`Region` refuses.
    """
    from icefront_dask import _region_files

    return _region_files.read(Path(path), names)


def write_regions(regions: Sequence[Region], path: str | Path) -> None:
    """Write regions to ``.parquet``, ``.gpkg`` or ``.geojson``, whichever the name ends with.

    The file is in the regions' CRS where they share one and the format can say so, else in longitude and
    latitude, vertex by vertex. Reading it gives the same regions, to 1 mm.

    Raises
    ------
    RegionError
        For no regions, two with one name, or another file name extension.
    """
    from icefront_dask import _region_files

    _region_files.write(list(regions), Path(path))


class _RegionsModule(ModuleType):
    def __call__(self, path: str | Path, names: Sequence[str] | None = None) -> list[Region]:
        """Read regions from a vector file, see :func:`read_regions`."""
        return read_regions(path, names)


sys.modules[__name__].__class__ = _RegionsModule
