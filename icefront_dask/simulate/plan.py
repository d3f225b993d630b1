"""What an archive holds: its places, and the scenes that are taken of each."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from icefront_dask.simulate.evolution import Motion

if TYPE_CHECKING:
    from icefront_dask.simulate.landscape import Kind

__all__ = ["DEMO_SEED", "ArchivePlan", "LandsatPlan", "PlacePlan", "SentinelPlan", "demo_plan", "small_plan"]

DEMO_SEED = 20_260_700  # no training uses seeds of this range


@dataclass(frozen=True)
class SentinelPlan:
    """One Sentinel-1 acquisition.

    Attributes
    ----------
    platform : {"sentinel-1a", "sentinel-1b"}
    absolute_orbit : int
        Gives the time and the relative orbit.
    seconds : float
        Since the ascending node.
    ascending : bool
    zone : int
        UTM zone of the product.
    cut : float
        Share of the scene, from one side, that lies beyond the swath.
    """

    platform: str
    absolute_orbit: int
    seconds: float
    ascending: bool
    zone: int
    cut: float = 0.0


@dataclass(frozen=True)
class LandsatPlan:
    """One Landsat acquisition.

    Attributes
    ----------
    platform : {"landsat-5", "landsat-7", "landsat-8", "landsat-9"}
    date : str
        ISO date.
    path, row : int
        WRS-2.
    cloud_share : float
        Share of the scene under cloud.
    crs : str
        EPSG code of the product: UTM, or EPSG:3031 south of 63° S.
    """

    platform: str
    date: str
    path: int
    row: int
    cloud_share: float
    crs: str


@dataclass(frozen=True)
class PlacePlan:
    """One place and its scenes.

    Attributes
    ----------
    name : str
        Of the region.
    kind : {"outlet", "tongue", "ice_shelf"}
    crs : str
        Working CRS of the region.
    lon, lat : float
        The middle of the mean front.
    azimuth_deg : float
        Direction of flow in the plane of `crs`, anticlockwise from its x axis.
    half_width_m, size_m : float
        Half width of the front and side of the region's outline, true metres.
    motion : Motion
    polarisations : tuple of str
        Co-polarisation first, then the cross-polarisation if there is one.
    seed : int
        Of the landscape, the history and the scenes.
    sentinel, landsat : tuple
        The scenes.
    """

    name: str
    kind: Kind
    crs: str
    lon: float
    lat: float
    azimuth_deg: float
    half_width_m: float
    size_m: float
    motion: Motion
    polarisations: tuple[str, ...]
    seed: int
    sentinel: tuple[SentinelPlan, ...] = ()
    landsat: tuple[LandsatPlan, ...] = ()

    @property
    def scenes(self) -> tuple[SentinelPlan | LandsatPlan, ...]:
        """All scenes, Sentinel-1 first."""
        return self.sentinel + self.landsat


@dataclass(frozen=True)
class ArchivePlan:
    """All places of an archive; equal plans make equal bytes."""

    places: tuple[PlacePlan, ...]

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds of the places, which no training may use."""
        return tuple(place.seed for place in self.places)

    def to_dict(self) -> dict[str, Any]:
        """Return the plan as plain Python."""
        content: dict[str, Any] = json.loads(json.dumps(dataclasses.asdict(self)))
        return content

    @property
    def sha256(self) -> str:
        """Hash of the plan."""
        return hashlib.sha256(json.dumps(self.to_dict(), sort_keys=True).encode()).hexdigest()


CYCLE_ORBITS = 175  # of Sentinel-1, in 12 days
_S1A_ORBIT_2017 = 14_631  # the first of 2017


def _sentinel(
    rng: np.random.Generator,
    cycles: list[int],
    zones: tuple[int, ...],
    orbits: tuple[int, int],
    cuts: dict[int, float],
) -> tuple[SentinelPlan, ...]:
    """Scenes of the given 12-day cycles since 2017, by turns from an ascending and a descending orbit."""
    scenes = []
    for number, cycle in enumerate(cycles):
        ascending = bool(rng.random() < 0.5)
        orbit = _S1A_ORBIT_2017 + cycle * CYCLE_ORBITS + orbits[0 if ascending else 1]
        scenes.append(
            SentinelPlan(
                platform="sentinel-1a",
                absolute_orbit=orbit,
                seconds=1150.0 if ascending else 3800.0,
                ascending=ascending,
                zone=zones[int(rng.integers(len(zones)))],
                cut=cuts.get(number, float(rng.choice([0.0, 0.06]))),
            )
        )
    return tuple(scenes)


def demo_plan(seed: int = DEMO_SEED) -> ArchivePlan:
    """Return the plan of the demo: an outlet (EPSG:3413), a tongue (UTM), an ice shelf (EPSG:3031).

    It has 46 scenes. Those of the outlet cover two years, enough for a seasonal amplitude. Landsat runs from
    5 (2010) to 9 (2022), with Landsat 7 after its scan line corrector failed; a few scenes are too cloudy, or
    cut by the swath, to be used.

    Parameters
    ----------
    seed : int
        Each place takes its own seed from it: ``seed``, ``seed + 1``, ``seed + 2``.
    """
    rng = np.random.default_rng([seed, 0x9A11])
    two_years = list(range(2, 61, 4))  # 15 scenes, one every 48 days
    one_year = list(range(32, 63, 4))  # 8 scenes
    outlet = PlacePlan(
        name="sim-outlet",
        kind="outlet",
        crs="EPSG:3413",
        lon=-31.4,
        lat=68.5,
        azimuth_deg=float(rng.uniform(-70, -20)),
        half_width_m=float(rng.uniform(1700, 2100)),
        size_m=9000.0,
        motion=Motion(1000, 70, 6, peak_day=225),
        polarisations=("hh", "hv"),
        seed=seed,
        sentinel=_sentinel(rng, two_years, (25,), (30, 74), {6: 0.62}),
        landsat=tuple(
            LandsatPlan(platform, date, 229, 12, clouds, "EPSG:32625")
            for platform, date, clouds in (
                ("landsat-5", "2010-07-18", 0.0),
                ("landsat-7", "2012-08-08", 0.03),
                ("landsat-8", "2017-07-05", 0.05),
                ("landsat-8", "2018-07-24", 0.85),
                ("landsat-8", "2018-09-26", 0.0),
                ("landsat-9", "2022-08-12", 0.02),
            )
        ),
    )
    tongue = PlacePlan(
        name="sim-tongue",
        kind="tongue",
        crs="EPSG:32718",
        lon=-72.4,
        lat=-50.6,
        azimuth_deg=float(rng.uniform(120, 200)),
        half_width_m=float(rng.uniform(2000, 2400)),
        size_m=9000.0,
        motion=Motion(650, 40, 3, peak_day=40),
        polarisations=("vv", "vh"),
        seed=seed + 1,
        sentinel=_sentinel(rng, one_year, (18, 19), (11, 118), {}),
        landsat=tuple(
            LandsatPlan(platform, date, 231, 95, clouds, "EPSG:32718")
            for platform, date, clouds in (
                ("landsat-7", "2010-01-22", 0.0),
                ("landsat-8", "2018-01-13", 0.08),
                ("landsat-8", "2018-02-14", 0.8),
                ("landsat-8", "2018-12-16", 0.0),
            )
        ),
    )
    shelf = PlacePlan(
        name="sim-shelf",
        kind="ice_shelf",
        crs="EPSG:3031",
        lon=-60.6,
        lat=-67.3,
        azimuth_deg=float(rng.uniform(0, 360)),
        half_width_m=float(rng.uniform(4200, 4800)),
        size_m=9000.0,
        motion=Motion(420, 60, 0.8, peak_day=40),
        polarisations=("hh",),
        seed=seed + 2,
        sentinel=_sentinel(rng, one_year, (20,), (38, 126), {5: 0.6}),
        landsat=tuple(
            LandsatPlan(platform, date, 216, 107, clouds, "EPSG:3031")
            for platform, date, clouds in (
                ("landsat-7", "2011-12-20", 0.0),
                ("landsat-8", "2017-12-04", 0.0),
                ("landsat-8", "2018-01-05", 0.1),
                ("landsat-8", "2018-02-06", 0.9),
                ("landsat-9", "2022-01-16", 0.04),
            )
        ),
    )
    return ArchivePlan((outlet, tongue, shelf))


def small_plan(seed: int = DEMO_SEED + 90, *, size_m: float = 5400.0) -> ArchivePlan:
    """Return a plan of three small places with one or two scenes of each sensor, for tests."""
    full = demo_plan(seed)
    return ArchivePlan(
        tuple(
            dataclasses.replace(
                place,
                name=place.name.replace("sim", "small"),
                size_m=size_m,
                half_width_m=place.half_width_m * 0.5,
                motion=dataclasses.replace(place.motion, speed_m_per_year=300.0, retreat_m_per_year=20.0),
                sentinel=place.sentinel[:2],
                landsat=place.landsat[:2],
            )
            for place in full.places
        )
    )
