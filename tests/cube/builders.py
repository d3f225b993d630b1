"""Small COGs and STAC items in the providers' own form, with known content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import rasterio
from odc.geo.geobox import GeoBox
from pyproj import Transformer
from rasterio.warp import transform_bounds
from shapely.geometry import box, mapping

from icefront_dask.regions import Region

if TYPE_CHECKING:
    from pathlib import Path

    import numpy.typing as npt

HELHEIM = (308_000.0, -2_578_000.0)  # EPSG:3413


def region(size_m: float = 3_600.0, crs: str = "EPSG:3413", name: str = "helheim") -> Region:
    """A square outline round Helheim's front, or round the same place in another CRS."""
    x, y = HELHEIM
    if crs != "EPSG:3413":
        x, y = Transformer.from_crs("EPSG:3413", crs, always_xy=True).transform(x, y)
    x, y, half = round(x / 120) * 120, round(y / 120) * 120, size_m / 2
    return Region(name, box(x - half, y - half, x + half, y + half), crs)


def utm_grid(epsg: int, size: int, pixel_m: float) -> GeoBox:
    """A grid of `size` × `size` pixels in a UTM zone, centred on the place of :func:`region`."""
    x, y = Transformer.from_crs("EPSG:3413", f"EPSG:{epsg}", always_xy=True).transform(*HELHEIM)
    x, y = round(x / pixel_m) * pixel_m, round(y / pixel_m) * pixel_m
    half = size // 2 * pixel_m
    return GeoBox((size, size), rasterio.Affine(pixel_m, 0, x - half, 0, -pixel_m, y + half), f"EPSG:{epsg}")


def cog(path: Path, data: npt.NDArray[Any], grid: GeoBox, *, nodata: float | None = None, **options: Any) -> str:
    """Write a COG (tiled, with overviews where it is larger than a tile) and return its path."""
    profile = {
        "driver": "COG",
        "height": data.shape[0],
        "width": data.shape[1],
        "count": 1,
        "dtype": data.dtype,
        "crs": str(grid.crs),
        "transform": grid.affine,
        "nodata": nodata,
        "blocksize": 128,
        "compress": "deflate",
        "overview_resampling": "average",
    } | options
    with rasterio.open(path, "w", **profile) as dataset:
        dataset.write(data, 1)
    return str(path)


def item(
    item_id: str,
    collection: str,
    grid: GeoBox,
    assets: dict[str, dict[str, Any]],
    datetime: str = "2018-06-02T20:15:32Z",
    **properties: Any,
) -> dict[str, Any]:
    """A STAC item over a grid, with ``proj:code`` unless the properties say otherwise."""
    bounds = transform_bounds(str(grid.crs), "EPSG:4326", *grid.boundingbox.bbox, densify_pts=51)
    west, south, east, north = (v + d for v, d in zip(bounds, (-0.01, -0.01, 0.01, 0.01), strict=True))
    given = {"datetime": datetime, "proj:code": str(grid.crs), **properties}
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": item_id,
        "collection": collection,
        "geometry": mapping(box(west, south, east, north)),
        "bbox": [west, south, east, north],
        "properties": {key: value for key, value in given.items() if value is not None},
        "assets": assets,
        "links": [],
    }


def s1_item(
    folder: Path,
    item_id: str,
    bands: dict[str, npt.NDArray[Any]],
    grid: GeoBox,
    *,
    nodata: float | None = -32768.0,
    **properties: Any,
) -> dict[str, Any]:
    """A Sentinel-1 RTC item in the form of the Planetary Computer, with its COGs."""
    assets = {
        name: {
            "href": cog(folder / f"{item_id}_{name}.tif", data.astype("float32"), grid, nodata=nodata),
            "roles": ["data"],
            "raster:bands": [{"nodata": -32768, "data_type": "float32", "spatial_resolution": 10}],
        }
        for name, data in bands.items()
    }
    defaults = {
        "platform": "SENTINEL-1A",
        "sat:orbit_state": "descending",
        "sat:relative_orbit": 127,
        "sat:absolute_orbit": 22_186,
        "sar:polarizations": [name.upper() for name in bands],
    }
    return item(item_id, "sentinel-1-rtc", grid, assets, **(defaults | properties))


def landsat_item(
    folder: Path,
    item_id: str,
    bands: dict[str, npt.NDArray[Any]],
    grid: GeoBox,
    *,
    qa_pixel: npt.NDArray[Any],
    qa_radsat: npt.NDArray[Any],
    scale: float = 2.75e-5,
    offset: float = -0.2,
    **properties: Any,
) -> dict[str, Any]:
    """A Landsat Collection 2 Level 2 item in the form of the Planetary Computer, with its COGs."""
    states = {"scale": scale, "offset": offset, "nodata": 0, "data_type": "uint16"}
    assets = {
        name: {
            "href": cog(folder / f"{item_id}_{name}.TIF", data.astype("uint16"), grid, nodata=0),
            "roles": ["data"],
            "raster:bands": [dict(states)],
        }
        for name, data in bands.items()
    }
    quality = {"overview_resampling": "nearest"}
    for role, data, nodata in (("qa_pixel", qa_pixel, 1), ("qa_radsat", qa_radsat, None)):
        href = cog(folder / f"{item_id}_{role}.TIF", data.astype("uint16"), grid, nodata=nodata, **quality)
        assets[role] = {"href": href, "roles": ["cloud"], "raster:bands": [{"data_type": "uint16"}]}
    defaults = {
        "platform": f"landsat-{int(item_id[2:4])}",
        "landsat:wrs_path": "233",
        "landsat:wrs_row": "013",
    }
    return item(item_id, "landsat-c2-l2", grid, assets, **(defaults | properties))


def archive_item(number: int, root: str | None = None) -> dict[str, Any]:
    """A Landsat item with hrefs and ids as long and as varied as those of the Planetary Computer; no files."""
    import hashlib

    when = np.datetime64("2013-04-11T14:15:30") + np.timedelta64(number * 8, "D")
    day, row = str(when)[:10].replace("-", ""), 10 + number % 7
    made = 20_200_000 + int(hashlib.sha256(str(number).encode()).hexdigest(), 16) % 10_000
    name = f"LC08_L2SP_2330{row}_{day}_{made}_02_T1"
    container = root or "https://landsateuwest.blob.core.windows.net/landsat-c2/level-2/standard/oli-tirs"
    base = f"{container}/{day[:4]}/233/0{row}/{name}/{name}"
    reflectance = {"scale": 2.75e-5, "offset": -0.2, "nodata": 0, "data_type": "uint16", "spatial_resolution": 30}
    files = {"green": "SR_B3", "nir08": "SR_B5", "qa_pixel": "QA_PIXEL", "qa_radsat": "QA_RADSAT"}
    assets = {
        key: {
            "href": f"{base}_{file}.TIF",
            "raster:bands": [reflectance if file.startswith("SR") else {"data_type": "uint16"}],
        }
        for key, file in files.items()
    }
    grid = utm_grid(32624, 4000, 30)
    placed = {"proj:shape": [4000, 4000], "proj:transform": list(grid.affine)[:6]}
    return item(name, "landsat-c2-l2", grid, assets, f"{when}Z", platform="landsat-8", **placed)


def archive_rtc_item(number: int) -> dict[str, Any]:
    """A Sentinel-1 RTC item with hrefs and ids as long and as varied as those of the Planetary Computer; no files."""
    import hashlib

    when = np.datetime64("2016-01-03T20:15:32") + np.timedelta64(number * 6, "D")
    day, mark = str(when)[:10].replace("-", ""), hashlib.sha256(str(number).encode()).hexdigest()[:4].upper()
    name = f"S1A_IW_GRDH_1SDH_{day}T201532_{day}T201557_{9_000 + 88 * number:06d}_{mark}28_rtc"
    container = "https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc"
    base = (
        f"{container}/GRD/{day[:4]}/{int(day[4:6])}/{int(day[6:])}/IW/DH/{name.removesuffix('_rtc')}_{mark}/measurement"
    )
    grid = utm_grid(32624, 4000, 10)
    assets = {p: {"href": f"{base}/iw-{p}.rtc.tiff", "raster:bands": [{"nodata": -32768, "data_type": "float32"}]}
              for p in ("hh", "hv")}  # fmt: skip
    return item(
        name, "sentinel-1-rtc", grid, assets, f"{when}Z", platform="SENTINEL-1A",
        **{"sat:relative_orbit": 127, "sat:absolute_orbit": 9_000 + 88 * number, "sat:orbit_state": "descending",
           "proj:shape": [4000, 4000], "proj:transform": list(grid.affine)[:6]},
    )  # fmt: skip


def speckle(rng: np.random.Generator, shape: tuple[int, int], level: float = 0.1) -> npt.NDArray[np.float32]:
    """Gamma-distributed power of 4.4 looks, correlated over 2 pixels, without zeros."""
    power = rng.gamma(4.4, level / 4.4, (shape[0] + 1, shape[1] + 1))
    smooth = (power[1:, 1:] + power[:-1, 1:] + power[1:, :-1] + power[:-1, :-1]) / 4
    return smooth.astype(np.float32)
