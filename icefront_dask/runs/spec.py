"""The frozen specification of a run: everything that can move a bit of its products, resolved."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Any

from icefront_dask.errors import StoreError
from icefront_dask.runs.settings import frozen_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from icefront_dask.regions import Region
    from icefront_dask.runs.config import RunConfig

__all__ = ["GroupSpec", "RunSpec", "differences", "search_request"]

# Libraries whose release can change a pixel, a line, a number or a byte of a file.
_LIBRARIES = (
    "geopandas", "numba", "numcodecs", "numpy", "odc-loader", "odc-stac", "openvino", "pandas", "pyarrow", "pyproj",
    "rasterio", "scikit-image", "scipy", "shapely", "stackstac", "torch", "xarray", "zarr",
)  # fmt: skip


@dataclass(frozen=True)
class GroupSpec:
    """How the scenes of one region and family are treated.

    Attributes
    ----------
    region, family : str
        Which.
    resolution_m : float
        Pixel size in metres of the region's CRS.
    variables : tuple of str
        Bands of the cube, those that any of its scenes has.
    model, model_sha256 : str
        The network, by name and digest of its weights.
    members : tuple of (str, str)
        Name and digest of the further networks of an ensemble.
    """

    region: str
    family: str
    resolution_m: float
    variables: tuple[str, ...]
    model: str
    model_sha256: str
    members: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class RunSpec:
    """A run, frozen. Its canonical JSON, and nothing else, identifies it.

    Attributes
    ----------
    text : str
        Canonical JSON: sorted keys, no spaces.
    """

    text: str

    @classmethod
    def make(
        cls,
        config: RunConfig,
        regions: Sequence[Region],
        groups: Sequence[GroupSpec],
        settings: dict[str, Any],
        items_sha256: str,
    ) -> RunSpec:
        """Freeze a validated run file.

        Parameters
        ----------
        config : RunConfig
            What the user asked for.
        regions : sequence of Region
            With their geometries.
        groups : sequence of GroupSpec
            One a region and family that has scenes.
        settings : dict
            Sections of the configuration, see ``settings.frozen_settings``.
        items_sha256 : str
            Digest of the items that the search found.
        """
        content = {
            "package": version("icefront_dask"),
            "libraries": {name: found for name in _LIBRARIES if (found := _version(name))},
            "search": search_request(config, regions),
            "store": config.store,
            "items_sha256": items_sha256,
            "groups": [vars(group) for group in groups],
            "settings": settings,
        }
        return cls(_canonical(content))

    @classmethod
    def read(cls, path: Path) -> RunSpec:
        """Read a specification that `text` was written to.

        Raises
        ------
        StoreError
            If the file is not one.
        """
        try:
            return cls(_canonical(json.loads(path.read_text(encoding="utf-8"))))
        except (OSError, ValueError) as error:
            raise StoreError(f"{path} is not a run's specification ({error}); use another output folder") from error

    def require(self, sha256: str) -> None:
        """Refuse another specification than the one that a unit was planned for.

        Raises
        ------
        StoreError
            If the hash differs.
        """
        if self.sha256 != sha256:
            raise StoreError(
                f"the run folder holds the specification {self.sha256[:12]}…, the unit was planned for "
                f"{sha256[:12]}…; plan the run again"
            )

    @cached_property
    def sha256(self) -> str:
        """Digest of the specification; part of every unit's key."""
        return hashlib.sha256(self.text.encode()).hexdigest()

    @cached_property
    def content(self) -> dict[str, Any]:
        """The specification as a dictionary, to be read only."""
        content: dict[str, Any] = json.loads(self.text)
        return content

    @cached_property
    def regions(self) -> dict[str, Region]:
        """The regions by name."""
        from icefront_dask.regions import Region

        return {entry["name"]: Region.from_dict(entry) for entry in self.content["search"]["regions"]}

    @cached_property
    def groups(self) -> tuple[GroupSpec, ...]:
        """One a region and family."""
        return tuple(
            GroupSpec(
                **{
                    **entry,
                    "variables": tuple(entry["variables"]),
                    "members": tuple((name, sha256) for name, sha256 in entry["members"]),
                }
            )
            for entry in self.content["groups"]
        )

    def group(self, region: str, family: str) -> GroupSpec:
        """Return the group of a region and family."""
        return next(group for group in self.groups if (group.region, group.family) == (region, family))

    def section(self, name: str) -> dict[str, Any]:
        """Return a section of the resolved settings."""
        section: dict[str, Any] = self.content["settings"][name]
        return section

    @property
    def pretty(self) -> str:
        """The specification as indented JSON, the form of ``spec.json``."""
        return json.dumps(self.content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"


def search_request(config: RunConfig, regions: Sequence[Region]) -> dict[str, Any]:
    """Return what decides the items of a run, as JSON: the key of the cached search."""
    return {
        "source": config.source,
        "datetime": config.datetime,
        "collections": config.collection_names,
        "extra_collections": config.extra_collections,
        "query": config.query,
        "families": list(config.families),
        "catalog": frozen_settings(config.settings())["catalog"],
        "regions": [region.to_dict() for region in regions],
    }


def differences(old: Any, new: Any, key: str = "") -> list[str]:
    """Return where two JSON documents differ: dotted keys with the old and the new value, shortened."""
    if old == new:
        return []
    if isinstance(old, dict) and isinstance(new, dict):
        found = []
        for name in sorted({*old, *new}):
            path = f"{key}.{name}" if key else str(name)
            found += differences(old.get(name), new.get(name), path)
        return found
    if isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        pairs = enumerate(zip(old, new, strict=True))
        return [text for i, (a, b) in pairs for text in differences(a, b, f"{key}[{i}]")]
    return [f"{key} was {_short(old)}, is {_short(new)}"]


def _canonical(content: Any) -> str:
    return json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else f"{text[:57]}…"


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
