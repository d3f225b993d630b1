"""Helheim Glacier the whole way over HTTP: COGs by nginx, items by stac-fastapi on pgstac, ``icefront run``.

    python -m tests.real.helheim [--out DIR]

starts the servers on loopback, runs with the shipped weights and the packaged settings, and prints one JSON object
as its last line. The scenes are those of ``helheim-scenes`` in the real data: two of Landsat 8 and two of Sentinel-1,
in degrees, stretched to 8 bits or raw. The fjord and the flowlines below were drawn by eye from the pictures, as any
user of the package draws them; so were the points on the fronts, which only measure and are seen by nothing else.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio
import rasterio.shutil
import yaml
from shapely.geometry import LineString, Point, Polygon, box, mapping

from icefront_dask.publish import read_fronts
from icefront_dask.regions import Region, write_regions
from tests.server import services

NAME = "helheim"
FOLDER = "helheim-scenes"

FJORD = Polygon(
    [
        (303_250, -2_573_650), (304_500, -2_573_930), (305_500, -2_574_030), (307_000, -2_574_200),
        (307_600, -2_574_370), (308_500, -2_574_380), (309_500, -2_574_520), (310_200, -2_574_830),
        (311_000, -2_574_960), (312_000, -2_575_060), (312_990, -2_575_100), (313_640, -2_580_880),
        (312_800, -2_580_880), (311_900, -2_580_750), (311_000, -2_580_680), (310_000, -2_580_640),
        (309_000, -2_580_640), (308_000, -2_580_470), (306_300, -2_580_480), (305_500, -2_580_650),
        (304_950, -2_580_930), (304_140, -2_580_960),
    ]
)  # fmt: skip
FLOWLINES = (
    LineString([(303_650, -2_577_300), (306_000, -2_577_200), (308_000, -2_577_150), (313_150, -2_577_000)]),
    LineString([(303_550, -2_575_850), (308_000, -2_575_950), (313_000, -2_576_000)]),
    LineString([(303_850, -2_578_850), (306_000, -2_578_650), (308_500, -2_578_550), (313_300, -2_578_700)]),
)
BOX = box(304_500, -2_579_100, 312_800, -2_576_000)  # the middle half of the fjord, along its flow
OUTLINE = box(303_100, -2_583_000, 313_850, -2_571_750)


@dataclass(frozen=True)
class Scene:
    """One file, and points on its front that were drawn by eye to about 50 m (EPSG:3413)."""

    file: str
    id: str
    collection: str
    day: str
    points: tuple[tuple[float, float], ...]


SCENES = (
    Scene(
        "20130820_231014_crop_landsat_Helheim_stretch.tif", "LC08_231014_20130820", "helheim-landsat", "2013-08-20",
        ((309_150, -2_575_250), (308_800, -2_575_700), (308_500, -2_576_400), (308_250, -2_577_000),
         (308_050, -2_577_500), (307_980, -2_578_000), (308_300, -2_578_500), (308_700, -2_579_050),
         (309_000, -2_579_450), (309_350, -2_579_850)),
    ),
    Scene(
        "20151020_232013_crop_landsat_Helheim.tif", "LC08_232013_20151020", "helheim-landsat", "2015-10-20",
        ((308_900, -2_575_350), (308_700, -2_575_650), (308_620, -2_576_100), (308_450, -2_576_600),
         (308_250, -2_577_200), (308_120, -2_578_100), (308_350, -2_578_800), (308_450, -2_579_300)),
    ),
    Scene(
        "20180602_hh_GEE_sentinel_GRD_IW_helheim_stretch.tif", "S1_IW_HH_20180602", "helheim-sentinel-1", "2018-06-02",
        ((310_350, -2_575_650), (310_180, -2_575_900), (310_100, -2_576_400), (309_850, -2_577_100),
         (309_650, -2_577_700), (309_500, -2_578_300), (309_400, -2_578_900), (309_400, -2_579_500)),
    ),
    Scene(
        "20180606_hh_GEE_sentinel_GRD_IW_helheim_stretch.tif", "S1_IW_HH_20180606", "helheim-sentinel-1", "2018-06-06",
        ((309_950, -2_575_200), (309_700, -2_575_600), (309_480, -2_576_100), (309_350, -2_576_600),
         (309_200, -2_577_100), (309_080, -2_577_700), (308_750, -2_578_200), (308_720, -2_578_800),
         (308_800, -2_579_300), (308_950, -2_579_750)),
    ),
)  # fmt: skip

COLLECTIONS = {
    "helheim-landsat": {
        "family": "landsat",
        "assets": {"grey": "data"},
        "calibration": "uncalibrated",
        "geometry": "range_doppler",
        "resolution_m": 30,
        "nodata": 0,
    },
    "helheim-sentinel-1": {
        "family": "sentinel-1",
        "assets": {"hh": "data"},
        "calibration": "uncalibrated",
        "geometry": "range_doppler",
        "resolution_m": 20,
        "nodata": 0,
    },
}


def region() -> Region:
    """Return the region as it was drawn."""
    return Region(NAME, OUTLINE, "EPSG:3413", fjord=FJORD, flowlines=FLOWLINES, box=BOX, basin="HELHEIM_GLACIER")


def write_cogs(scenes: Path, folder: Path) -> None:
    """Write the scenes as they are into COGs."""
    folder.mkdir(parents=True, exist_ok=True)
    for scene in SCENES:
        rasterio.shutil.copy(
            scenes / scene.file, folder / f"{scene.id}.tif", driver="COG", compress="deflate", blocksize=256
        )


def stac_items(folder: Path, url: str) -> list[dict]:
    """Return a STAC item for each COG, as served below `url`."""
    items = []
    for scene in SCENES:
        with rasterio.open(folder / f"{scene.id}.tif") as source:
            bounds, shape, transform, dtype = source.bounds, source.shape, source.transform, source.dtypes[0]
        radar = scene.collection.endswith("sentinel-1")
        properties = {
            # The files are named by the day alone; noon stands for it.
            "datetime": f"{scene.day}T12:00:00Z",
            "platform": "sentinel-1" if radar else "landsat-8",
            "instruments": ["c-sar"] if radar else ["oli"],
            "proj:code": "EPSG:4326",
            "proj:shape": list(shape),
            "proj:transform": list(transform)[:6],
        }
        items.append(
            {
                "type": "Feature",
                "stac_version": "1.0.0",
                "stac_extensions": ["https://stac-extensions.github.io/projection/v2.0.0/schema.json"],
                "id": scene.id,
                "collection": scene.collection,
                "geometry": mapping(box(*bounds)),
                "bbox": list(bounds),
                "properties": properties,
                "links": [],
                "assets": {
                    "data": {
                        "href": f"{url}/{scene.id}.tif",
                        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
                        "roles": ["data"],
                        "raster:bands": [{"data_type": dtype, "nodata": 0}],
                    }
                },
            }
        )
    return items


def stac_collections() -> list[dict]:
    """Return the collections of the items."""
    west, south, east, north = -38.28, 66.32, -38.07, 66.41
    extent = {
        "spatial": {"bbox": [[west, south, east, north]]},
        "temporal": {"interval": [["2013-08-20T00:00:00Z", "2018-06-07T00:00:00Z"]]},
    }
    shared = {"type": "Collection", "stac_version": "1.0.0", "description": "Helheim", "license": "other", "links": []}
    return [{"id": name, "extent": extent, **shared} for name in COLLECTIONS]


def write_config(out: Path, api_url: str) -> Path:
    """Write regions and run file into a folder; return the run file."""
    write_regions([region()], out / "regions.parquet")
    content = {
        "source": api_url,
        "regions": "regions.parquet",
        "output": "run",
        "collections": COLLECTIONS,
        "catalog": {"allow_hosts": ["127.0.0.1"]},
    }
    path = out / "helheim.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return path


def retreat_m(fronts: pd.DataFrame, before: str, after: str) -> dict[str, float]:
    """Return how far the front went back along the flow in the middle half of the fjord, in true metres.

    Both fronts are cut with lines 100 m apart, parallel to the middle flowline; of several crossings the seaward
    one counts, as in the package.
    """
    south, north = BOX.bounds[1], BOX.bounds[3]
    middle = FLOWLINES[0]
    differences = []
    for y in np.arange(south, north + 1.0, 100.0):
        offset = y - middle.interpolate(0.5, normalized=True).y
        line = LineString([(x, v + offset) for x, v in middle.coords])
        positions = []
        for day in (before, after):
            crossings = fronts.loc[day].intersection(line) if day in fronts.index else None
            points = [] if crossings is None or crossings.is_empty else getattr(crossings, "geoms", [crossings])
            points = [p for p in points if p.geom_type == "Point"]
            positions.append(max((line.project(p) for p in points), default=np.nan))
        differences.append(positions[0] - positions[1])
    true = np.asarray(differences) / region().scale_factor
    if not np.isfinite(true).any():
        return {"retreat_m": float("nan"), "retreat_seen_share": 0.0}
    return {"retreat_m": float(np.nanmedian(true)), "retreat_seen_share": float(np.isfinite(true).mean())}


def summary(run: Path) -> dict:
    """Return status, reason and distance by eye of each scene, and the retreat, from a run's products."""
    fronts = read_fronts(run / "fronts.parquet")
    scale = region().scale_factor
    lines, scenes = {}, {}
    for scene in SCENES:
        rows = fronts[[scene.id in ids for ids in fronts["item_ids"]]]
        drawn = rows[rows.geometry.notna() & ~rows.geometry.is_empty]
        entry = {"status": sorted(set(rows["status"])), "reason": sorted({r for r in rows["reason"] if r})}
        if len(drawn):
            line = drawn.geometry.union_all()
            lines[scene.day] = line
            away = np.array([line.distance(Point(p)) for p in scene.points]) / scale
            entry |= {
                "confidence": round(float(drawn["confidence"].max()), 3),
                "eye_median_m": round(float(np.median(away)), 1),
                "eye_max_m": round(float(away.max()), 1),
                "length_m": round(float(drawn["length_m"].sum()), 1),
            }
        scenes[scene.id] = entry
    retreat = retreat_m(pd.Series(lines, dtype=object), "2018-06-02", "2018-06-06")
    return {"scenes": scenes, **{k: round(v, 3) for k, v in retreat.items()}}


def pictures(run: Path, scenes: Path, out: Path) -> list[Path]:
    """Draw the fronts, the fjord and the points by eye over the scenes."""
    import matplotlib as mpl

    mpl.use("Agg")
    import matplotlib.pyplot as plt
    from affine import Affine
    from rasterio.warp import Resampling, reproject

    fronts = read_fronts(run / "fronts.parquet")
    west, south, east, north = OUTLINE.bounds
    transform, size = Affine(10, 0, west, 0, -10, north), (round((north - south) / 10), round((east - west) / 10))
    written = []
    for scene in SCENES:
        image = np.zeros(size, np.float32)
        with rasterio.open(scenes / scene.file) as source:
            reproject(
                rasterio.band(source, 1), image, dst_transform=transform, dst_crs="EPSG:3413",
                resampling=Resampling.bilinear,
            )  # fmt: skip
        low, high = np.percentile(image[image > 0], [1, 99])
        figure, axes = plt.subplots(figsize=(14, 14.6))
        axes.imshow(image, cmap="gray", vmin=low, vmax=high, extent=(west, east, south, north))
        axes.plot(*FJORD.exterior.xy, color="tab:blue", lw=0.8)
        rows = fronts[[scene.id in ids for ids in fronts["item_ids"]]]
        for row in rows.itertuples():
            for part in [] if row.geometry is None else getattr(row.geometry, "geoms", [row.geometry]):
                axes.plot(*part.xy, color={"accepted": "lime", "review": "orange"}.get(row.status, "red"), lw=1.4)
        axes.plot(*np.array(scene.points).T, "c+", ms=8)
        states = ", ".join(f"{status} {reason or ''}" for status, reason in zip(rows.status, rows.reason, strict=True))
        axes.set_title(f"{scene.id}: {states}")
        figure.tight_layout()
        path = out / f"{scene.id}.png"
        figure.savefig(path, dpi=70)
        plt.close(figure)
        written.append(path)
    return written


def run_helheim(scenes: Path, out: Path, database: services.Postgres, api: services.StacApi) -> dict:
    """Serve, load, run and measure; return the summary."""
    from icefront_dask.runs import run

    out.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out / "run", ignore_errors=True)  # an earlier run is another one: the servers' ports differ
    write_cogs(scenes, out / "cogs")
    with services.Nginx(out / "cogs") as web:
        database.load(stac_collections(), stac_items(out / "cogs", web.url))
        result = run(write_config(out, api.url))
        asked = web.requests()
    left_out = result.plan.left_out
    return {
        **summary(result.output),
        "left_out": len(left_out),
        "requests": len(asked),
        "requests_by_range": sum(status == 206 for status, *_ in asked),
        "requests_failed": sum(status >= 400 for status, *_ in asked),
        "report": str(result.output / "report.html"),
    }


def real_data() -> Path:
    """Return the folder of the real scenes."""
    root = Path(__file__).resolve().parents[2]
    return Path(os.environ.get("ICEFRONT_REAL_DATA") or root.parent / "shared" / "data")


def main(arguments: list[str] | None = None) -> int:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("out/real"), help="folder for COGs, run and pictures")
    options = parser.parse_args(arguments)
    scenes = real_data() / FOLDER
    if not scenes.is_dir():
        sys.stderr.write(f"no real scenes in {scenes}; set ICEFRONT_REAL_DATA\n")
        return 2
    if lacks := services.missing():
        sys.stderr.write(f"not installed: {', '.join(lacks)}; run tests/server/setup.sh\n")
        return 2
    with services.Postgres() as database, services.StacApi(database) as api:
        numbers = run_helheim(scenes, options.out.resolve(), database, api)
    numbers["pictures"] = [str(p) for p in pictures(options.out.resolve() / "run", scenes, options.out.resolve())]
    sys.stdout.write(json.dumps(numbers) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
