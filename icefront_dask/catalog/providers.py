"""The archives that are known: where they are, what they hold, and from where their pixels may come."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import pandas as pd

from icefront_dask.catalog.hosts import HostError, is_listed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["PROVIDERS", "Holding", "Provider", "provider_of", "provider_table"]


@dataclass(frozen=True)
class Holding:
    """What a provider has of one collection.

    Parameters
    ----------
    collection : str
        STAC collection id.
    family : {"sentinel-1", "landsat"}
        Sensor family.
    sensors, platforms : tuple of str
        As ``C-SAR`` and ``sentinel-1a``.
    modes : tuple of str
        Acquisition modes of a radar; empty for Landsat.
    polarisations : tuple of str
        Channels that occur; empty for Landsat.
    start, end : str
        First and last date, ISO 8601; no end while new scenes come in.
    geometry : tuple of str
        What its pixels may claim, see ``sensors.GEOMETRIES``; where there are several, it depends on how they are
        corrected here, and without correction they are refused.
    note : str
        What a user must know before relying on it.
    """

    collection: str
    family: str
    sensors: tuple[str, ...]
    platforms: tuple[str, ...]
    modes: tuple[str, ...]
    polarisations: tuple[str, ...]
    start: str
    end: str
    geometry: tuple[str, ...]
    note: str = ""


@dataclass(frozen=True)
class Provider:
    """An archive.

    Parameters
    ----------
    name, title : str
        Short name, which ``search`` takes for the address, and full name.
    url : str
        Landing page of its STAC API.
    signing : str
        How access to its files is granted, in words.
    hosts : tuple of str
        From where its files come: ``scheme://host/container``, where a host may be ``*.suffix``. Hrefs of its
        items that lead elsewhere are refused.
    rewritten : tuple of (str, str)
        Beginnings of hrefs which only a browser can open, and what takes their place.
    holdings : tuple of Holding
        Its collections that this package can use.
    """

    name: str
    title: str
    url: str
    signing: str
    hosts: tuple[str, ...]
    holdings: tuple[Holding, ...]
    rewritten: tuple[tuple[str, str], ...] = ()

    def opened(self, href: str) -> str:
        """Return an href as a program can open it, where it is one that only a browser can."""
        for start, instead in self.rewritten:
            if href.startswith(start):
                return instead + href.removeprefix(start)
        return href

    def stored(self, href: str, owner: str) -> str:
        """Return an absolute href of an item as it is to be stored, or refuse it.

        Raises
        ------
        HostError
            For an href that leads to a host or container which is none of the provider's.
        """
        href = self.opened(href)
        if not any(_within(href, place) for place in self.hosts):
            parts = urlsplit(href)
            raise HostError(
                f"{owner}: refused to open {href!r}: {parts.scheme}://{parts.netloc} is no place where {self.title} "
                "keeps files; search a copy of the catalogue as a file if the item is to be trusted"
            )
        return href


def _within(href: str, place: str) -> bool:
    mine, allowed = urlsplit(href), urlsplit(place)
    if mine.scheme != allowed.scheme or not is_listed(mine.hostname or mine.netloc, mine.port, [allowed.netloc]):
        return False
    return mine.path.startswith(f"{allowed.path.rstrip('/')}/")


_RADAR = ("C-SAR",)
_S1 = ("sentinel-1a", "sentinel-1b", "sentinel-1c")
_DUAL = ("HH", "HV", "VV", "VH")
_CORRECTED_HERE = ("range_doppler", "gcp_front_height")
_RTC = Holding(
    "sentinel-1-rtc", "sentinel-1", _RADAR, ("sentinel-1a", "sentinel-1b"), ("IW",), _DUAL, "2014-10-10", "", ("rtc",),
    "IW only: the EW scenes of Antarctica are to be had as GRD; scenes are missing, and 0 is no data besides -32768",
)  # fmt: skip
_GRD = Holding(
    "sentinel-1-grd", "sentinel-1", _RADAR, _S1, ("IW", "EW", "SM"), _DUAL, "2014-10-10", "", _CORRECTED_HERE,
    "in radar geometry: the transform in its items is none; refused unless it is corrected",
)  # fmt: skip
_LANDSAT_L2 = Holding(
    "landsat-c2-l2", "landsat", ("TM", "ETM+", "OLI"),
    ("landsat-4", "landsat-5", "landsat-7", "landsat-8", "landsat-9"), (), (), "1982-08-22", "", ("ortho",),
    "no reflectance where the sun is more than 76° from the zenith: take Level 1 there",
)  # fmt: skip
_MSS = Holding(
    "landsat-c2-l1", "landsat", ("MSS",), ("landsat-1", "landsat-2", "landsat-3", "landsat-4", "landsat-5"), (), (),
    "1972-07-25", "2013-01-07", ("ortho",), "MSS only",
)  # fmt: skip
_ALL_LANDSAT = tuple(f"landsat-{number}" for number in (1, 2, 3, 4, 5, 7, 8, 9))
_USGS_LOGIN = (("https://landsatlook.usgs.gov/data/", "s3://usgs-landsat/"),)
_PAYS = "the requester pays: AWS credentials on the workers"

PROVIDERS: dict[str, Provider] = {
    provider.name: provider
    for provider in (
        Provider(
            "planetary-computer",
            "Microsoft Planetary Computer",
            "https://planetarycomputer.microsoft.com/api/stac/v1",
            "shared-access tokens, without an account",
            (
                "https://sentinel1euwestrtc.blob.core.windows.net/sentinel1-grd-rtc",
                "https://sentinel1euwest.blob.core.windows.net/s1-grd",
                "https://landsateuwest.blob.core.windows.net/landsat-c2",
            ),
            (_RTC, _GRD, _LANDSAT_L2, _MSS),
        ),
        Provider(
            "earth-search",
            "Earth Search",
            "https://earth-search.aws.element84.com/v1",
            _PAYS,
            ("s3://usgs-landsat", "s3://sentinel-s1-l1c"),
            (_LANDSAT_L2, _GRD),
            _USGS_LOGIN,
        ),
        Provider(
            "landsatlook",
            "USGS LandsatLook",
            "https://landsatlook.usgs.gov/stac-server",
            _PAYS,
            ("s3://usgs-landsat",),
            (
                dataclasses.replace(_LANDSAT_L2, collection="landsat-c2l2-sr"),
                dataclasses.replace(_LANDSAT_L2, collection="landsat-c2l2-st", note="surface temperature alone"),
                dataclasses.replace(
                    _LANDSAT_L2, collection="landsat-c2l1", sensors=("MSS", "TM", "ETM+", "OLI"), start="1972-07-25",
                    platforms=_ALL_LANDSAT, note="top-of-atmosphere reflectance, where the items say how",
                ),
            ),
            _USGS_LOGIN,
        ),
        Provider(
            "asf",
            "Alaska Satellite Facility (OPERA RTC-S1)",
            "https://cmr.earthdata.nasa.gov/stac/ASF",
            "Earthdata login: machine urs.earthdata.nasa.gov in ~/.netrc of the workers",
            (
                "https://datapool.asf.alaska.edu",
                "https://cumulus.asf.alaska.edu",
                "https://cumulus.asf.earthdatacloud.nasa.gov",
            ),
            (
                dataclasses.replace(
                    _RTC, collection="OPERA_L2_RTC-S1_V1_1", platforms=_S1, start="2016-04-14",
                    note="by burst, 30 m; its items name neither platform nor orbit, their ids do; no Antarctica",
                ),
            ),
        ),
    )
}  # fmt: skip
"""By name. Any other API, stac-geoparquet file or static catalogue is searched by its address."""


def provider_of(source: str) -> Provider | None:
    """Return the known provider that a source is, by name or by the host of its address."""
    if source in PROVIDERS:
        return PROVIDERS[source]
    host = urlsplit(source).hostname if "://" in source else None
    return next((p for p in PROVIDERS.values() if host is not None and urlsplit(p.url).hostname == host), None)


def provider_table() -> pd.DataFrame:
    """Return what the known providers have.

    Returns
    -------
    DataFrame
        One row a provider and collection: provider, collection, family, sensors, modes, polarisations, platforms,
        start, end, geometry, signing, url, note; lists joined by spaces.
    """
    return pd.DataFrame(_rows())


def _rows() -> Iterator[dict[str, str]]:
    for provider in PROVIDERS.values():
        for holding in provider.holdings:
            yield {
                "provider": provider.name,
                "collection": holding.collection,
                "family": holding.family,
                "sensors": " ".join(holding.sensors),
                "modes": " ".join(holding.modes),
                "polarisations": " ".join(holding.polarisations),
                "platforms": " ".join(holding.platforms),
                "start": holding.start,
                "end": holding.end,
                "geometry": " ".join(holding.geometry),
                "signing": provider.signing,
                "url": provider.url,
                "note": holding.note,
            }
