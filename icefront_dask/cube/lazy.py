"""Lift the block reader to a lazy, labelled dataset: ``load``."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import dask.array as da
import numpy as np
import xarray as xr
from dask._task_spec import Task, TaskRef
from dask.base import tokenize
from dask.highlevelgraph import HighLevelGraph

from icefront_dask.cube.attributes import (
    GAP_FRACTION,
    cube_attributes,
    grid_attributes,
    grid_coordinates,
    scene_coordinates,
    variable_attributes,
)
from icefront_dask.cube.blocks import OVER_DATES, ReadOptions, block_grid, read_block
from icefront_dask.cube.overdates import filtered_over_dates
from icefront_dask.cube.quality import QUALITY_DTYPE, gap_fraction
from icefront_dask.cube.scene import scenes as group_scenes
from icefront_dask.errors import MissingAssetError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from icefront_dask.cube.scene import Scene

__all__ = ["calibrations_of", "load", "variables_of"]

_GAPS = "gap_fraction"


def load(
    items: Any,
    region: Any,
    family: str,
    *,
    resolution: float,
    chunks: Mapping[str, int] | None = None,
    reader: str | None = None,
    variables: Sequence[str] | None = None,
    extra_collections: Mapping[str, Any] | None = None,
    on_read_error: str | None = None,
    speckle: str | None = None,
    fjord: Any = None,
) -> xr.Dataset:
    """Return the scenes of one family over a region, lazily, on the region's one grid.

    Nothing is read here. One task reads a block of a scene with all its variables; the blocks are anchored to
    the grid, so that values do not depend on `chunks`. Hrefs stay unsigned in the graph.

    Parameters
    ----------
    items : Items, or iterable of pystac.Item or dict
        What ``search()`` returned.
    region : Region
        Where; ``region.geobox(resolution)`` is the grid.
    family : {"sentinel-1", "landsat"}
        Which sensor family.
    resolution : float
        Pixel size in metres of the projection.
    chunks : mapping, optional
        As for ``Dataset.chunk``; default: one scene, one reading block.
    reader : {"odc", "stackstac"}, optional
        Default: the configuration.
    variables : sequence of str, optional
        Only these; default: all that any scene has.
    extra_collections : mapping, optional
        Collections of the run's configuration.
    on_read_error : {"raise", "skip", "flag"}, optional
        Default: the configuration.
    speckle : {"none", "refined_lee", "multitemporal"}, optional
        Filter of calibrated radar images: none, within each scene (Lee et al. 1999), or over all dates (Quegan and Yu
        2001), which is for pixels 3 km and more from a fjord only, as ice moves from date to date. Default: the
        configuration.
    fjord : Polygon or MultiPolygon, optional
        The nearest, in ``region.crs``, where the region has none of its own; asked for with ``multitemporal``.

    Returns
    -------
    xarray.Dataset
        Dims (time, y, x), sorted by time. Variables float32, NaN nodata: linear power (gamma0, sigma0),
        reflectance or grey values, see attribute ``calibration``. ``quality`` uint16, bits of
        ``cube.quality.Quality``. Coordinates of the scenes as in
        :func:`icefront_dask.cube.attributes.scene_coordinates`, and the lazy ``gap_fraction``.

    Raises
    ------
    NoItemsError, MissingAssetError, InputError, ConfigError, CatalogError
        While building; see :func:`icefront_dask.cube.scenes`. InputError also for a filter over dates that comes
        within 3 km of the fjord, or where no fjord is stated.
    ReadError, NotGeoreferencedError
        While computing, for files that cannot be read or placed.
    """
    options = ReadOptions.resolve(reader=reader, on_read_error=on_read_error, speckle=speckle)
    over_dates = options.speckle == OVER_DATES
    found = group_scenes(items, region, family, variables=variables, extra_collections=extra_collections)
    names = variables_of(found, variables)
    geobox = region.geobox(resolution)
    arrays = _lazy_arrays(found, geobox, names, replace(options, speckle="none") if over_dates else options)
    if over_dates:
        arrays |= filtered_over_dates({name: arrays[name] for name in names}, found, geobox, region, fjord)
    gaps = xr.Variable(("time",), arrays.pop(_GAPS), dict(GAP_FRACTION))
    calibrations = calibrations_of(found, names)
    geometries = {scene.geometry for scene in found}
    data = {
        name: xr.Variable(("time", "y", "x"), array, variable_attributes(name, calibrations.get(name, ""), geometries))
        for name, array in arrays.items()
    }
    cube = xr.Dataset(
        data,
        coords={**scene_coordinates(found), "gap_fraction": gaps, **grid_coordinates(geobox)},
        attrs={**cube_attributes(region, family, calibrations), **grid_attributes(geobox)},
    )
    return cube if chunks is None else cube.chunk(dict(chunks))


def variables_of(scenes: Sequence[Scene], wanted: Sequence[str] | None = None) -> tuple[str, ...]:
    """Return the variables of a cube of these scenes: those wanted, else all that any scene has.

    Raises
    ------
    MissingAssetError
        For a wanted variable that no scene has.
    """
    found = {name: None for scene in scenes for name in scene.variables}
    if wanted is None:
        from icefront_dask.sensors import VARIABLES

        return tuple(name for name in VARIABLES if name in found)
    if absent := [name for name in wanted if name not in found]:
        raise MissingAssetError(
            f"no scene has {', '.join(absent)}; they have {', '.join(found)}: ask for some of these"
        )
    return tuple(wanted)


def calibrations_of(scenes: Sequence[Scene], variables: Sequence[str]) -> dict[str, str]:
    """Return the calibration of each variable; `scenes()` has made sure that there is one."""
    return {name: next(scene.calibration for scene in scenes if name in scene.variables) for name in variables}


def _lazy_arrays(
    scenes: Sequence[Scene], geobox: Any, variables: tuple[str, ...], options: ReadOptions
) -> dict[str, da.Array]:
    blocks = block_grid(geobox, options.block_px)
    token = tokenize([s.scene_id for s in scenes], scenes, str(geobox), variables, options)
    read = f"read-scene-{token}"
    how = _How(geobox, variables, options)
    graph: dict[Any, Any] = {}
    for slot, scene in enumerate(scenes):
        reader = _Read(scene, how)
        for row, column in np.ndindex(*blocks.shape.yx):
            key = (read, slot, row, column)
            graph[key] = Task(key, reader, row, column)
    chunks = ((1,) * len(scenes), *(tuple(int(n) for n in sizes) for sizes in blocks.chunks))
    source = HighLevelGraph({read: graph}, {read: set()})
    arrays = {}
    for name in (*variables, "quality"):
        name_key = f"{name}-{token}"
        pick = _Pick(name)
        picked: dict[Any, Any] = {}
        for index in graph:
            key = (name_key, *index[1:])
            picked[key] = Task(key, pick, TaskRef(index))
        layers = HighLevelGraph({**source.layers, name_key: picked}, {**source.dependencies, name_key: {read}})
        dtype = QUALITY_DTYPE if name == "quality" else np.dtype("float32")
        arrays[name] = da.Array(layers, name_key, chunks, dtype=dtype)
    gaps_key = f"{_GAPS}-{token}"
    gaps: dict[Any, Any] = {}
    for slot in range(len(scenes)):
        blocks_of = [TaskRef((read, slot, row, column)) for row, column in np.ndindex(*blocks.shape.yx)]
        gaps[gaps_key, slot] = Task((gaps_key, slot), _gaps, *blocks_of)
    layers = HighLevelGraph({**source.layers, gaps_key: gaps}, {**source.dependencies, gaps_key: {read}})
    arrays[_GAPS] = da.Array(layers, gaps_key, (chunks[0],), dtype=np.float32)
    return arrays


def _gaps(*blocks: dict[str, Any]) -> Any:
    """Return the gap fraction of one scene from all its blocks."""
    return np.array([gap_fraction(*(block["quality"] for block in blocks))])


class _How:
    """What all blocks of a cube share: one object, which a pickled graph holds once."""

    def __init__(self, geobox: Any, variables: tuple[str, ...], options: ReadOptions) -> None:
        self.geobox, self.variables, self.options = geobox, variables, options


class _Read:
    """Reads blocks of one scene by their row and column."""

    def __init__(self, scene: Scene, how: _How) -> None:
        self._scene, self._how = scene, how

    def __call__(self, row: int, column: int) -> dict[str, Any]:
        how = self._how
        grid = block_grid(how.geobox, how.options.block_px)[row, column]
        return read_block(self._scene, grid, how.variables, how.options)


class _Pick:
    """Takes one variable out of a block that was read, with its time axis."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __call__(self, block: dict[str, Any]) -> Any:
        return block[self._name][None]
