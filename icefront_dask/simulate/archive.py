"""An archive of simulated scenes: COGs, STAC items, an index, regions, and the truth.

Layout of the folder::

    archive.json            the plan, its seeds and its hash
    catalog.json            static catalogue: COLLECTION/collection.json, COLLECTION/ITEM/ITEM.json beside its
    COGs items.parquet           stac-geoparquet of all items; hrefs are relative to this file regions.geojson
    the regions, one row a role truth/fronts.parquet    true front and position of each item
    truth/positions.parquet true position of each item on each flowline
"""

from __future__ import annotations

import json
import os
import shutil
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import geopandas as gpd
import numpy as np
import pandas as pd
import pyarrow as pa
import pyproj
import shapely
import stac_geoparquet.arrow

from icefront_dask.errors import InputError, StoreError
from icefront_dask.regions import write_regions
from icefront_dask.simulate import items as stac
from icefront_dask.simulate.cog import write_cog
from icefront_dask.simulate.orbits import landsat_time, sentinel_time
from icefront_dask.simulate.place import HISTORY_START, HISTORY_STOP, Place, make_place
from icefront_dask.simulate.plan import ArchivePlan, LandsatPlan, PlacePlan, SentinelPlan, demo_plan
from icefront_dask.simulate.scenes import RTC_NODATA, landsat_scene, sentinel_scene
from icefront_dask.simulate.truth import USABLE_SHARE, flowline_position, seen_share, true_front

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["Archive", "read_truth", "write_archive"]

_CATEGORICAL = {"qa_pixel", "qa_radsat"}


@dataclass(frozen=True)
class Archive:
    """Where the parts of an archive lie.

    Attributes
    ----------
    folder, catalog, items, regions, fronts, positions : Path
    plan : ArchivePlan
    scenes : int
    """

    folder: Path
    plan: ArchivePlan
    scenes: int

    @property
    def catalog(self) -> Path:
        """Root of the static catalogue."""
        return self.folder / "catalog.json"

    @property
    def items(self) -> Path:
        """The stac-geoparquet index."""
        return self.folder / "items.parquet"

    @property
    def regions(self) -> Path:
        """The regions file."""
        return self.folder / "regions.geojson"

    @property
    def fronts(self) -> Path:
        """The true fronts."""
        return self.folder / "truth" / "fronts.parquet"

    @property
    def positions(self) -> Path:
        """The true positions on each flowline."""
        return self.folder / "truth" / "positions.parquet"


def write_archive(
    out: str | Path,
    plan: ArchivePlan | None = None,
    *,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Archive:
    """Write an archive; the same plan gives the same bytes on one kind of machine.

    Parameters
    ----------
    out : path
        Folder that is new or empty, or holds this very archive already, which is then left as it is.
    plan : ArchivePlan, optional
        Default :func:`~icefront_dask.simulate.plan.demo_plan`.
    workers : int, optional
        Threads; default the number of processors.
    progress : callable, optional
        Called with the scenes done and the scenes in all.

    Returns
    -------
    Archive

    Raises
    ------
    StoreError
        Where `out` holds something else.
    InputError
        For a plan with two scenes of one name, or a date outside the simulated years.
    """
    plan = plan or demo_plan()
    out = Path(out)
    jobs: list[tuple[PlacePlan, SentinelPlan | LandsatPlan]] = [
        (place, scene) for place in plan.places for scene in place.scenes
    ]
    archive = Archive(out, plan, len(jobs))
    if _is_there(out, plan):
        return archive
    partial = out.with_name(f".{out.name}.partial")
    if partial.exists():
        shutil.rmtree(partial)
    (partial / "truth").mkdir(parents=True)
    workers = workers or os.cpu_count() or 1
    with ThreadPoolExecutor(workers) as pool:
        places = dict(zip((p.name for p in plan.places), pool.map(make_place, plan.places), strict=True))
        numbers = {name: iter(range(10_000)) for name in places}
        futures = [
            pool.submit(_write_scene, partial, places[place.name], scene, next(numbers[place.name]))
            for place, scene in jobs
        ]
        for done, future in enumerate(as_completed(futures), 1):
            future.result()
            if progress is not None:
                progress(done, len(jobs))
    results = [future.result() for future in futures]
    found = [item for item, _ in results]
    if len({item["id"] for item in found}) < len(found):
        raise InputError("the plan has two scenes of one name; give each its own orbit or date")
    _write_catalog(partial, found)
    _write_index(partial, found)
    write_regions([place.region for place in places.values()], partial / "regions.geojson")
    _write_truth(partial, [truth for _, truth in results])
    content = {"plan": plan.to_dict(), "seeds": list(plan.seeds), "sha256": plan.sha256, "scenes": len(jobs)}
    _write_json(partial / "archive.json", content)
    if out.exists():
        out.rmdir()
    partial.rename(out)
    return archive


def read_truth(archive: str | Path) -> gpd.GeoDataFrame:
    """Read the true fronts of an archive.

    Parameters
    ----------
    archive : path
        The archive's folder.

    Returns
    -------
    GeoDataFrame
        ``item_id``, ``region``, ``datetime`` (UTC), ``usable`` (at least 60 % of the front in valid,
        cloud-free pixels), ``seen_share``, ``position_m`` (true metres along the central flowline from its
        inland end), ``crs`` and ``geometry``, each row in the CRS that its ``crs`` names; the frame itself
        has none.
    """
    frame = gpd.read_parquet(Path(archive) / "truth" / "fronts.parquet")
    lines = np.empty(len(frame), dtype=object)
    for crs in frame["crs"].unique():
        rows = (frame["crs"] == crs).to_numpy()
        lines[rows] = frame.geometry[rows].to_crs(crs).to_numpy()
    return gpd.GeoDataFrame(pd.DataFrame(frame.drop(columns="geometry")), geometry=list(lines), crs=None)


def _is_there(out: Path, plan: ArchivePlan) -> bool:
    """Whether this archive is complete in `out`; raises where something else is."""
    if not out.exists():
        return False
    if not out.is_dir():
        raise StoreError(f"{out} is a file; name a new folder for the archive")
    if not any(out.iterdir()):
        return False
    note = out / "archive.json"
    if note.is_file():
        try:
            held = json.loads(note.read_text(encoding="utf-8")).get("sha256")
        except (json.JSONDecodeError, AttributeError, UnicodeDecodeError) as error:
            raise StoreError(f"{note} cannot be read ({error}); name a new folder for the archive") from error
        if held == plan.sha256:
            return True
        raise StoreError(f"{out} holds an archive of another plan or seed; name a new folder, or remove it")
    raise StoreError(f"{out} is not empty and holds no archive; name a new folder")


def _write_scene(
    root: Path, place: Place, plan: SentinelPlan | LandsatPlan, number: int
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Render and write one scene; return its item (hrefs from the archive) and its row of the truth."""
    if isinstance(plan, SentinelPlan):
        group = "sentinel-1-rtc"
        time = sentinel_time(plan.platform, plan.absolute_orbit, plan.seconds)
        name = stac.sentinel_id(place, plan, time)
    else:
        group, time, name = "landsat-c2-l2", landsat_time(plan.date, place.plan.lon), stac.landsat_id(plan)
    if not HISTORY_START <= time < HISTORY_STOP:
        raise InputError(
            f"{name}: the simulated years end {HISTORY_STOP} and begin {HISTORY_START}; choose a date between"
        )
    state = place.history.at(time)
    folder = root / group / name
    folder.mkdir(parents=True)
    if isinstance(plan, SentinelPlan):
        scene = sentinel_scene(place, state, plan, time, number)
        files = {band: f"iw-{band}.rtc.tiff" for band in scene.bands}
        nodata: float = RTC_NODATA
    else:
        scene = landsat_scene(place, state, plan, time, number)
        files = {band: stac.landsat_file(plan, band) for band in scene.bands}
        nodata = 0.0
    for band, data in scene.bands.items():
        bits = band in _CATEGORICAL
        value = {"qa_pixel": 1.0, "qa_radsat": None}.get(band, nodata)
        grid = scene.grid
        write_cog(folder / files[band], data, transform=grid.transform, crs=grid.crs, nodata=value, categorical=bits)
    hrefs = {band: f"./{group}/{name}/{file}" for band, file in files.items()}
    if isinstance(plan, SentinelPlan):
        item = stac.sentinel_item(place, plan, time, scene, hrefs)
    else:
        item = stac.landsat_item(place, plan, time, scene, hrefs)
    return item, _truth_row(place, name, item["properties"]["datetime"], state, scene)


def _truth_row(place: Place, name: str, when: str, state: Any, scene: Any) -> dict[str, Any]:
    truth = true_front(place, state)
    share = seen_share(truth.line, place.plan.crs, scene.clear, scene.grid.transform, scene.grid.crs)
    return {
        "item_id": name,
        "region": place.plan.name,
        "datetime": pd.Timestamp(when),
        "usable": share >= USABLE_SHARE,
        "seen_share": round(share, 4),
        "position_m": truth.position_m,
        "crs": place.plan.crs,
        "geometry": truth.line,
        "positions": [
            flowline_position(truth.line, line, place.region.scale_factor) for line in place.region.flowlines
        ],
    }


def _write_json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf-8")


def _write_catalog(root: Path, items: Iterable[dict[str, Any]]) -> None:
    groups: dict[str, list[dict[str, Any]]] = {}
    for item in sorted(items, key=lambda entry: entry["id"]):
        groups.setdefault(item["collection"], []).append(item)
    for group, members in sorted(groups.items()):
        for item in members:
            assets = {
                key: {**asset, "href": "./" + asset["href"].rsplit("/", 1)[1]} for key, asset in item["assets"].items()
            }
            _write_json(root / group / item["id"] / f"{item['id']}.json", {**item, "assets": assets})
        _write_json(root / group / "collection.json", stac.collection(group, members))
    _write_json(root / "catalog.json", stac.catalog(sorted(groups)))


def _write_index(root: Path, items: Iterable[dict[str, Any]]) -> None:
    ordered = sorted(items, key=lambda entry: (entry["collection"], entry["id"]))
    # Links point into the catalogue and mean nothing in a table.
    table = stac_geoparquet.arrow.parse_stac_items_to_arrow([{**item, "links": []} for item in ordered])
    if isinstance(table, pa.RecordBatchReader):
        table = table.read_all()
    # Its columns of times come in the order of a set, which differs from process to process.
    table = table.select(sorted(table.column_names))
    stac_geoparquet.arrow.to_parquet(table, root / "items.parquet", compression="zstd")


def _write_truth(root: Path, rows: list[dict[str, Any]]) -> None:
    rows = sorted(rows, key=lambda row: (row["region"], row["datetime"], row["item_id"]))
    frame = gpd.GeoDataFrame([{k: v for k, v in row.items() if k != "positions"} for row in rows], geometry="geometry")
    frame = frame.set_geometry([_to_lonlat(row["geometry"], row["crs"]) for row in rows], crs="OGC:CRS84")
    frame["datetime"] = frame["datetime"].astype("datetime64[us, UTC]")
    frame.to_parquet(root / "truth" / "fronts.parquet", index=False, compression="zstd", schema_version="1.1.0")
    positions = pd.DataFrame(
        [
            {key: row[key] for key in ("item_id", "region", "datetime")} | {"flowline": number, "position_m": value}
            for row in rows
            for number, value in enumerate(row["positions"])
        ]
    )
    positions["datetime"] = positions["datetime"].astype("datetime64[us, UTC]")
    positions.to_parquet(root / "truth" / "positions.parquet", index=False, compression="zstd")


def _to_lonlat(geometry: Any, crs: str) -> Any:
    project = pyproj.Transformer.from_crs(crs, "OGC:CRS84", always_xy=True)
    return shapely.transform(geometry, lambda xy: np.column_stack(project.transform(*xy.T)))
