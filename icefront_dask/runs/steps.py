"""Single steps over stores, as the commands ``cube``, ``segment`` and ``trace`` do them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from icefront_dask.catalog import screen
from icefront_dask.cube import (
    CubeStore,
    ReadOptions,
    open_cube,
    prepare_store,
    read_scenes,
    scenes,
    variables_of,
    write_layers,
    write_scenes,
)
from icefront_dask.cube.repository import batch, drop_branch, publish
from icefront_dask.fronts import trace_fronts
from icefront_dask.predict import segment, to_uint8
from icefront_dask.runs.prediction import LAYERS, create_prediction, open_prediction, write_prediction
from icefront_dask.sensors import collection_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd
    import xarray as xr

    from icefront_dask.catalog import Items
    from icefront_dask.regions import Region

    Report = Callable[[str, int, int], None]

__all__ = ["segment_store", "trace_store", "write_cube"]

_BRANCH = "icefront-step"


def write_cube(
    items: Items,
    region: Region,
    family: str,
    out: str | Path,
    *,
    resolution_m: float | None = None,
    variables: Sequence[str] | None = None,
    extra_collections: Mapping[str, Any] | None = None,
    report: Report | None = None,
) -> tuple[xr.Dataset, pd.DataFrame]:
    """Screen items and write their scenes as a cube; this computes, one scene at a time.

    A cube that is there is extended: scenes that it has not are appended, one that was processed again since takes over
    its slot, and one that it has is written again. The elevation and geoid that the region states are kept beside it.

    Parameters
    ----------
    items : Items
        What a search found.
    region : Region
        Where.
    family : {"sentinel-1", "landsat"}
        Which sensor family.
    out : path or URL
        Zarr hierarchy, or ``icechunk+URL`` of a repository, in which all is published at once; the cube is its group
        ``<region>/<family>``.
    resolution_m : float, optional
        Pixel size; by default the finest of the collections' own.
    variables : sequence of str, optional
        By default all that a scene has.
    extra_collections : mapping, optional
        Collections that the package does not know.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.

    Returns
    -------
    cube : Dataset
        The stored cube, lazy.
    left_out : DataFrame
        Items left out, with the reason.

    Raises
    ------
    ConfigError
        With ``cube.speckle: multitemporal``, as scenes are written one by one.
    """
    options = ReadOptions.resolve()
    options.check_single()
    kept, left_out = screen(
        items,
        region,
        region.geobox(resolution_m or 120.0),
        family=family,
        variables=variables,
        extra_collections=extra_collections,
    )
    found = scenes(kept, region, family, variables=variables, extra_collections=extra_collections)
    collections = [collection_for(item, extra_collections) for item in kept.to_dicts()]
    geobox = region.geobox(resolution_m or min(collection.resolution_m for collection in collections))
    names = variables_of(found, variables)
    with _published(str(out), f"cube {region.name}/{family}") as session:
        store, slots = prepare_store(out, found, region, family, geobox, names, session=session)
        held = tuple(store.open("r").attrs["template"]["variables"])  # of a cube that was there, perhaps more
        write_layers(store, region, access=options.access)
        for number, (slot, scene) in enumerate(zip(slots, found, strict=True), start=1):
            write_scenes(store, [slot], read_scenes([scene], geobox, held, options))
            if report is not None:
                report("scenes", number, len(found))
    return open_cube(CubeStore(store.url, store.group)), left_out


@contextmanager
def _published(url: str, what: str) -> Iterator[Any]:
    """Yield a session for what is to be published as a whole; None for a store that has no sessions."""
    drop_branch(url, _BRANCH)  # of a step that was interrupted
    with batch(url, _BRANCH, what) as at:
        yield at.session
    publish(url, _BRANCH)
    drop_branch(url, _BRANCH)


def segment_store(
    store: str | Path,
    *,
    region: Region | str | None = None,
    family: str | None = None,
    model: str = "auto",
    report: Report | None = None,
    **options: Any,
) -> xr.Dataset:
    """Predict a stored cube and keep the probabilities in its group ``prediction``; this computes.

    Parameters
    ----------
    store : path or URL
        What `write_cube` wrote.
    region : Region or str, optional
        Which; a Region's fjord steers the prediction.
    family : str, optional
        Which, where the store holds both.
    model : str
        As for `icefront_dask.segment`.
    report : callable, optional
        Called with a stage's name, what is done, and of how much.
    **options
        Settings of the section ``predict``.

    Returns
    -------
    Dataset
        As `open_prediction`.
    """
    name = region if isinstance(region, str) or region is None else region.name
    cube = open_cube(store, region=name, family=family)
    place = None if isinstance(region, str) else region
    lazy = segment(cube, model=model, region=place, **options)
    url, group = str(store), f"{cube.region}/{cube.family}"
    with _published(url, f"prediction of {group}") as session:
        where = CubeStore(url, group, session)
        create_prediction(where, {key: lazy.attrs[key] for key in ("model", "model_sha256", "engine")})
        slots = {scene: slot for slot, scene in enumerate(where.open("r")["scene_id"][:])}
        count = lazy.sizes["time"]
        for step in range(count):
            scene = lazy[list(LAYERS)].isel(time=step).compute()
            layers = {layer: to_uint8(scene[layer].to_numpy()) for layer in LAYERS}
            write_prediction(where, slots[str(scene["scene_id"].item())], layers)
            if report is not None:
                report("scenes", step + 1, count)
    return open_prediction(CubeStore(url, group))


def trace_store(
    store: str | Path, *, region: Region | str | None = None, family: str | None = None, **options: Any
) -> gpd.GeoDataFrame:
    """Trace the fronts of stored predictions; this computes.

    Parameters
    ----------
    store : path or URL
        What a run or `segment_store` wrote.
    region : Region or str, optional
        Which; a Region gives fjord, flowlines and the name of the rows.
    family : str, optional
        Which, where the store holds both.
    **options
        Settings of the section ``fronts``.
    """
    name = region if isinstance(region, str) or region is None else region.name
    prediction = open_prediction(store, region=name, family=family)
    return trace_fronts(prediction, None if isinstance(region, str) else region, **options)
