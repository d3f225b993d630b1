"""Self-made STAC items in the providers' form."""

from __future__ import annotations

from shapely.geometry import box, mapping

from icefront_dask.regions import Region

HELHEIM = Region("helheim", box(296_000, -2_590_000, 314_000, -2_572_000), "EPSG:3413")
KANGERLUSSUAQ = Region("kangerlussuaq", box(480_000, -2_300_000, 498_000, -2_282_000), "EPSG:3413")
LARSEN = Region("larsen", box(-2_200_000, 1_050_000, -2_150_000, 1_100_000), "EPSG:3031", kind="ice_shelf")

OVER_HELHEIM = box(-40.0, 65.5, -36.0, 67.5)
OVER_KANGERLUSSUAQ = box(-35.0, 68.0, -31.0, 69.5)


def stac(name, collection, when, footprint, assets, **properties):
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "stac_extensions": [],
        "id": name,
        "collection": collection,
        "geometry": None if footprint is None else mapping(footprint),
        "bbox": None if footprint is None else list(footprint.bounds),
        "properties": {"datetime": when, **properties},
        "links": [],
        "assets": assets,
    }


def raster(href, **more):
    return {
        "href": href,
        "type": "image/tiff; application=geotiff; profile=cloud-optimized",
        "roles": ["data"],
        **more,
    }


def rtc(
    day,
    footprint=OVER_HELHEIM,
    *,
    orbit=22_000,
    polarisations=("HH", "HV"),
    name=None,
    host="https://data.example.org",
    **more,
):
    name = name or f"S1A_IW_GRDH_1SDH_{day.replace('-', '')}T203000_{orbit:06d}_rtc"
    assets = {p.lower(): raster(f"{host}/{name}/{p.lower()}.tif") for p in polarisations}
    assets["thumbnail"] = {"href": "javascript:void(0)", "type": "image/png"}
    properties = {
        "platform": "SENTINEL-1A",
        "proj:epsg": 32624,
        "sat:absolute_orbit": orbit,
        "sat:relative_orbit": 90,
        "sat:orbit_state": "descending",
        "sar:polarizations": list(polarisations),
        "s1:datatake_id": str(orbit * 8),
        "start_datetime": f"{day}T20:30:00Z",
        "end_datetime": f"{day}T20:30:25Z",
    }
    return stac(name, "sentinel-1-rtc", f"{day}T20:30:12.500000Z", footprint, assets, **(properties | more))


def landsat(day, footprint=OVER_HELHEIM, *, name=None, tier="T1", cloud=10.0, host="https://data.example.org", **more):
    name = name or f"LC08_L2SP_232013_{day.replace('-', '')}_02_{tier}"
    scaled = {"raster:bands": [{"scale": 2.75e-05, "offset": -0.2, "nodata": 0, "data_type": "uint16"}]}
    assets = {b: raster(f"{host}/{name}/{b}.TIF", **scaled) for b in ("green", "red", "nir08", "swir16")}
    assets |= {q: raster(f"{host}/{name}/{q}.TIF") for q in ("qa_pixel", "qa_radsat")}
    properties = {
        "platform": "landsat-8",
        "instruments": ["oli", "tirs"],
        "proj:epsg": 32624,
        "eo:cloud_cover": cloud,
        "view:sun_elevation": 35.0,
        "landsat:correction": "L2SP",
        "landsat:collection_category": tier,
    }
    return stac(name, "landsat-c2-l2", f"{day}T13:56:12.345678Z", footprint, assets, **(properties | more))


def archive():
    """Four Sentinel-1 and four Landsat scenes over Helheim, three and two over Kangerlussuaq."""
    days = ("2018-06-02", "2018-06-06", "2018-06-14", "2018-07-08")
    items = [rtc(day, orbit=22_000 + 58 * k) for k, day in enumerate(days)]
    items += [landsat(day, cloud=cloud) for day, cloud in zip(days, (5.0, 40.0, 70.0, 95.0), strict=True)]
    items += [rtc(day, OVER_KANGERLUSSUAQ, orbit=30_000 + k) for k, day in enumerate(days[:3])]
    items += [
        landsat(day, OVER_KANGERLUSSUAQ, name=f"LC08_L2SP_229012_{day.replace('-', '')}_02_T1") for day in days[:2]
    ]
    return items
