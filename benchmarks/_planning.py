"""A plan of many regions from a million items on disk: time, memory, and no pystac object on the way.

The items are real ones of several archives, of which ids, dates, footprints and hrefs are varied. They lie anywhere
from 58° to 83° north and south, as an archive's do; the plan is of glaciers all round Greenland.
"""

from __future__ import annotations

import json
import multiprocessing
import os
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import shapely
from shapely.geometry import box

ROOT = Path(__file__).resolve().parents[1]
SECONDS = 60.0
GIB = 2.0
BYTES_A_ROW = 400.0
REGIONS = 24
_ROWS = 10_000
_LEVEL_2 = ("landsat-c2l2-sr", "landsat-c2-l2", "landsat-c2l2-st")
_OTHERS = ("sentinel1-rtc-aws", "sentinel-2-l2a", "sentinel1-slc")


def real_items() -> list[dict[str, Any]]:
    """Return real items whose variables fit into one cube a family, and some which the screening leaves out."""
    folder = Path(os.environ.get("ICEFRONT_REAL_DATA") or ROOT.parent / "shared" / "data") / "stac"
    found = []
    for path in sorted(folder.rglob("*.json")):
        item = json.loads(path.read_text())
        if isinstance(item, dict) and item.get("type") == "Feature" and item.get("collection") in _LEVEL_2 + _OTHERS:
            assets = {k: {**a, "href": f"https://data.example.org/{Path(a['href']).name}"} for k, a in
                      item["assets"].items()}  # fmt: skip
            properties = {k: v for k, v in item["properties"].items() if k not in {"proj:geometry", "proj:bbox"}}
            found.append({**item, "assets": assets, "links": [], "properties": properties})
    return found


def write_items(path: Path, count: int, seed: int = 0) -> int:
    """Write varied items as stac-geoparquet, in the order of nothing; return how many real ones they come from."""
    from icefront_dask.catalog.items import concatenated, sorted_table, to_table

    real = real_items()
    if len(real) < 20:
        raise SystemExit(
            f"planning needs 20 real items in ../shared/data/stac or ICEFRONT_REAL_DATA, found {len(real)}"
        )
    table = sorted_table(concatenated([to_table([item]) for item in real]))
    centred = [_centred(g) for g in shapely.from_wkb(table["geometry"].combine_chunks().to_pylist())]
    rng = np.random.default_rng(seed)
    writer: Any = None
    for start in range(0, count, _ROWS):
        part = _varied(table, centred, np.arange(start, min(start + _ROWS, count)), rng)
        writer = writer or pq.ParquetWriter(path, part.schema, compression="zstd")
        writer.write_table(part)
    writer.close()
    return len(real)


def _centred(footprint: Any) -> Any:
    """Return a footprint about (0, 0), in degrees of latitude both ways."""
    west, _, east, _ = footprint.bounds
    if east - west > 180.0:  # it crosses ±180° without a split
        footprint = shapely.transform(footprint, lambda c: np.where(c < [0.0, -91.0], np.add(c, [360.0, 0.0]), c))
    x, y = footprint.centroid.coords[0]
    return shapely.transform(footprint, lambda c: (c - [x, y]) * [np.cos(np.radians(y)), 1.0])


def _varied(table: pa.Table, centred: list[Any], numbers: Any, rng: Any) -> pa.Table:
    pick = rng.integers(table.num_rows, size=len(numbers))
    out = table.take(pa.array(pick))
    lat = np.degrees(np.arcsin(rng.uniform(np.sin(np.radians(58)), np.sin(np.radians(83)), len(numbers))))
    lat *= rng.choice([-1.0, 1.0], len(numbers))
    lon = rng.uniform(-175.0, 175.0, len(numbers))
    shapes = np.asarray(centred, dtype=object)[pick]
    coordinates, of = shapely.get_coordinates(shapes, return_index=True)
    stretch = np.column_stack([1 / np.cos(np.radians(lat)), np.ones(len(lat))])
    shapes = shapely.set_coordinates(shapes, coordinates * stretch[of] + np.column_stack([lon, lat])[of])
    when = rng.integers(np.datetime64("1984-01-01", "us").astype(int), np.datetime64("2025-01-01", "us").astype(int),
                        len(numbers))  # fmt: skip
    marks = rng.integers(2**40, size=len(numbers))
    tails = pa.array([f"_{n:07d}_{mark:010x}" for n, mark in zip(numbers.tolist(), marks.tolist(), strict=True)])
    bounds = shapely.bounds(shapes)
    names = ("xmin", "ymin", "xmax", "ymax")
    replaced = {
        "id": pc.binary_join_element_wise(out["id"].combine_chunks(), tails, ""),
        "geometry": pa.array(shapely.to_wkb(shapes)),
        "datetime": pa.array(when, pa.timestamp("us", "UTC")).cast(table.schema.field("datetime").type),
        "bbox": pa.StructArray.from_arrays([pa.array(bounds[:, k]) for k in range(4)], names=names),
        "assets": _with_hrefs(out["assets"].combine_chunks(), tails),
    }
    columns = {name: replaced.get(name, out[name]) for name in out.column_names}
    return pa.table(columns)


def _with_hrefs(assets: pa.StructArray, tails: pa.Array) -> pa.StructArray:
    """Return the assets with hrefs of their own."""
    fields, arrays = [], []
    for k, field in enumerate(assets.type):
        values = assets.field(k)
        if pa.types.is_struct(field.type):
            inner = {f.name: values.field(j) for j, f in enumerate(field.type)}
            if "href" in inner:
                inner["href"] = pc.binary_join_element_wise(inner["href"], tails, "")
            values = pa.StructArray.from_arrays(list(inner.values()), names=list(inner), mask=values.is_null())
        fields.append(field.name)
        arrays.append(values)
    return pa.StructArray.from_arrays(arrays, names=fields, mask=assets.is_null())


def regions(count: int = REGIONS) -> list[Any]:
    """Return regions of 30 km round Greenland's coast."""
    import pyproj

    from icefront_dask.regions import Region

    to_polar = pyproj.Transformer.from_crs("OGC:CRS84", "EPSG:3413", always_xy=True)
    around = np.linspace(0, 2 * np.pi, count, endpoint=False)
    places = [to_polar.transform(-42 + 14 * np.cos(a), 71.5 + 9.5 * np.sin(a)) for a in around]
    return [
        Region(f"glacier-{k:03d}", box(x - 15e3, y - 15e3, x + 15e3, y + 15e3), "EPSG:3413")
        for k, (x, y) in enumerate(places)
    ]


def plan_once(folder: Path, answer: Any) -> None:
    """Plan in this process, and put what it took."""
    import pystac

    from icefront_dask.runs import plan

    made = 0
    initialise = pystac.STACObject.__init__

    def counted(self: Any, *args: Any, **kwargs: Any) -> None:
        nonlocal made
        made += 1
        initialise(self, *args, **kwargs)

    pystac.STACObject.__init__ = counted
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    start = time.perf_counter()
    done = plan({"source": str(folder / "items.parquet"), "regions": str(folder / "regions.parquet"),
                 "output": str(folder / "run")})  # fmt: skip
    seconds = time.perf_counter() - start
    answer.put(
        {
            "seconds": round(seconds, 1),
            "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2),
            "gib_before": round(before, 2),
            "pystac_objects": made,
            **{name: done.counts[name] for name in ("regions", "items", "scenes", "units", "left_out")},
        }
    )


def measure(count: int = 1_000_000) -> dict[str, Any]:
    """Return what a plan from `count` items takes, and whether it stays within its bounds.

    Returns
    -------
    dict
        ``items_on_disk``, ``real_items``, ``bytes_a_row``, ``seconds``, ``peak_gib``, ``pystac_objects``, the counts
        of the plan, and ``within_bounds``: 60 s and 2 GiB of one process, no pystac object, 400 bytes a row.
    """
    from icefront_dask.regions import write_regions

    with tempfile.TemporaryDirectory(prefix="icefront-planning-") as name:
        folder = Path(name)
        sources = write_items(folder / "items.parquet", count)
        write_regions(regions(), folder / "regions.parquet")
        context = multiprocessing.get_context("spawn")
        answer = context.SimpleQueue()
        process = context.Process(target=plan_once, args=(folder, answer))
        process.start()
        process.join()
        if process.exitcode:
            raise SystemExit("the plan failed; its traceback is above")
        found = answer.get()
        bytes_a_row = (folder / "items.parquet").stat().st_size / count
    measured = {"items_on_disk": count, "real_items": sources, "bytes_a_row": int(bytes_a_row), **found}
    bounds = bounds_of(measured)
    return {**measured, "bounds": bounds, "within_bounds": all(bounds.values())}


def bounds_of(measured: dict[str, Any]) -> dict[str, bool]:
    """Return which bounds of planning hold."""
    return {
        "seconds": measured["seconds"] <= SECONDS,
        "peak_gib": measured["peak_gib"] <= GIB,
        "pystac_objects": measured["pystac_objects"] == 0,
        "bytes_a_row": measured["bytes_a_row"] >= BYTES_A_ROW,
    }


if __name__ == "__main__":
    import argparse

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=1_000_000)
    result = measure(parser.parse_args().items)
    print(json.dumps(result))
    raise SystemExit(0 if result["within_bounds"] else 1)
