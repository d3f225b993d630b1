"""From a run file to units of work: search once, screen, group into scenes, freeze the specification."""

from __future__ import annotations

import html
import json
import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from icefront_dask._kinds import KIND_OF_FAMILY
from icefront_dask.catalog import Items, screen, search
from icefront_dask.change import read_verdicts
from icefront_dask.config import section
from icefront_dask.cube import ReadOptions
from icefront_dask.cube import scenes as group_scenes
from icefront_dask.errors import ModelMismatchError, NoItemsError, StoreError
from icefront_dask.models import registry
from icefront_dask.predict import resolve_engine, resolve_options
from icefront_dask.predict.bands import choose_bands
from icefront_dask.predict.memory import tile_bytes
from icefront_dask.regions import read_regions
from icefront_dask.runs.config import RunConfig, parse_config, read_config
from icefront_dask.runs.files import file_sha256, locked, remove_temporary, write_atomically, write_bytes
from icefront_dask.runs.settings import frozen_settings, using
from icefront_dask.runs.spec import GroupSpec, RunSpec, differences, search_request
from icefront_dask.runs.work import WorkUnit, blocks
from icefront_dask.sensors import VARIABLES, collection_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from icefront_dask.cube import Scene
    from icefront_dask.predict import PredictOptions
    from icefront_dask.regions import Region

    Report = Callable[[str, int, int], None]

__all__ = ["Plan", "make_plan", "plan", "resolve_config", "worker_bytes"]

_PAGES = ".search"  # folder of the pages of a search under way, in the output folder
_SCREENING_M = 120.0  # pixel of the grid on which footprints are weighed
_BASE_MEMORY = 1150 * 2**20  # a worker process with PyTorch, GDAL and one model
_BYTES_PER_PIXEL = 120  # bands of the scene in work and of the next, network input, probabilities, tracing


@dataclass(frozen=True)
class _Group:
    """The scenes of one region and family."""

    region: Region
    family: str
    resolution_m: float
    scenes: list[Scene]


@dataclass(frozen=True)
class Plan:
    """What a run will do. Making it reads items and no pixels.

    Attributes
    ----------
    config : RunConfig
        As the user wrote it.
    spec : RunSpec
        Frozen; its hash is in every unit's key.
    units : tuple of WorkUnit
        Sorted by region, family, block.
    left_out : DataFrame
        Items that the screening left out: region, item_id, collection, datetime, reason, detail.
    items : Items
        What the search found.
    """

    config: RunConfig
    spec: RunSpec
    units: tuple[WorkUnit, ...]
    left_out: pd.DataFrame = field(repr=False)
    items: Items = field(repr=False)

    @property
    def output(self) -> Path:
        """The run folder."""
        return self.config.output

    @property
    def regions(self) -> list[Region]:
        """All regions, with scenes or without."""
        return list(self.spec.regions.values())

    def scenes(self, region: str, family: str) -> list[Scene]:
        """Return the scenes of a region and family in slot order."""
        mine = [unit for unit in self.units if (unit.region, unit.family) == (region, family)]
        return [scene for unit in mine for scene in unit.scenes]

    @property
    def table(self) -> pd.DataFrame:
        """One row a region and family: scenes, units, model, pixels a scene, memory and time of a worker."""
        seconds = float(section("runs", **self.config.runs)["seconds_per_megapixel"])
        options = resolve_options(self.spec.section("predict"))
        rows = []
        for group in self.spec.groups:
            height, width = self.spec.regions[group.region].geobox(group.resolution_m).shape.yx
            scenes = len(self.scenes(group.region, group.family))
            rows.append(
                {
                    "region": group.region,
                    "family": group.family,
                    "scenes": scenes,
                    "units": sum((u.region, u.family) == (group.region, group.family) for u in self.units),
                    "resolution_m": group.resolution_m,
                    "variables": " ".join(group.variables),
                    "model": group.model,
                    "pixels": height * width,
                    "memory_mib": round(worker_bytes(height, width, options) / 2**20),
                    "worker_seconds": round(scenes * height * width / 1e6 * seconds, 1),
                }
            )
        return pd.DataFrame(rows)

    @property
    def counts(self) -> dict[str, Any]:
        """Numbers of regions, items, scenes, units and left-out items, and estimates of memory and time."""
        table = self.table
        return {
            "regions": len(self.spec.regions),
            "items": len(self.items),
            "scenes": int(table["scenes"].sum()),
            "units": len(self.units),
            "left_out": len(self.left_out),
            "memory_mib_per_worker": int(table["memory_mib"].max()),
            "worker_seconds": float(table["worker_seconds"].sum()),
        }

    def __str__(self) -> str:
        counts = self.counts
        return (
            f"{counts['scenes']} scenes of {counts['regions']} regions in {counts['units']} units, "
            f"{counts['left_out']} items left out; about {counts['memory_mib_per_worker']} MiB a worker and "
            f"{counts['worker_seconds'] / 60:.1f} min of one worker"
        )

    def _repr_html_(self) -> str:
        reasons = self.left_out["reason"].value_counts().rename("items").to_frame()
        below = f"<p>Left out</p>{reasons.to_html(escape=True)}" if len(reasons) else ""
        return (
            f"<div><p><b>Plan</b>: {html.escape(str(self))}</p>"
            f"{self.table.to_html(escape=True, index=False)}{below}</div>"
        )


def worker_bytes(height: int, width: int, options: PredictOptions) -> int:
    """Return the memory of a worker that does scenes of this size, bytes."""
    return _BASE_MEMORY + height * width * _BYTES_PER_PIXEL + tile_bytes((height, width), options)


def plan(config: RunConfig | str | Path | Mapping[str, Any]) -> Plan:
    """Plan a run: search, screen, cut into units, freeze the specification. No pixel is read.

    What the search finds is kept in the run folder (``items.parquet``), and is not searched for again.

    Parameters
    ----------
    config : RunConfig, path or mapping
        A run file, or its content.

    Returns
    -------
    Plan
        With counts, estimates and an HTML representation.

    Raises
    ------
    ConfigError
        For a run file that is not valid.
    RegionError, CatalogError, NoItemsError, MissingAssetError, NotGeoreferencedError
        If there is nothing to work on, with the reason.
    ModelMismatchError, WeightsError
        If the model is not there or does not fit the scenes' bands.
    StoreError
        If the output folder holds another run, or something else.
    """
    resolved = resolve_config(config)
    with locked(resolved.output):
        return make_plan(resolved)


def resolve_config(config: RunConfig | str | Path | Mapping[str, Any]) -> RunConfig:
    """Return a validated run file from a path, a mapping or itself."""
    if isinstance(config, RunConfig):
        return config
    if isinstance(config, (str, Path)):
        return read_config(Path(config))
    return parse_config(dict(config)).absolute(Path.cwd())


def make_plan(config: RunConfig, report: Report | None = None) -> Plan:
    """As `plan`, for the holder of the output folder's lock; `report` is told of the regions screened."""
    if config.verdicts is not None:
        read_verdicts(config.verdicts)  # a file that is none stops the run before its work, not after
    if (config.output / "search.json").exists():  # else it may be somebody's folder
        remove_temporary(config.output)
    with using(config.settings()):
        ReadOptions.resolve().check_single()
        regions = read_regions(config.regions, config.region_names)
        items = _items(config, regions)
        groups, left_out = _screened(config, regions, items, report)
        specified = [_specified(config, group) for group in groups]
        spec = RunSpec.make(
            config,
            regions,
            specified,
            frozen_settings(config.settings(), engine=_engine(config.output, {group.model for group in specified})),
            file_sha256(config.output / "items.parquet"),
        )
        _check_same_run(config.output, spec)
        size = int(spec.section("runs")["scenes_per_unit"])
        units = tuple(
            unit
            for group in groups
            for unit in blocks(spec.sha256, group.region.name, group.family, group.scenes, size)
        )
        return Plan(config, spec, units, left_out, items)


def _engine(output: Path, models: set[str]) -> str:
    """Return the engine of the run for its models: ``auto`` stays what it was when the run began."""
    begun = output / "spec.json"
    if section("predict")["engine"] == "auto" and begun.exists():
        return resolve_engine(str(RunSpec.read(begun).section("predict")["engine"]))
    return resolve_options(models=models).engine


def _items(config: RunConfig, regions: list[Region]) -> Items:
    """Search, going on where the same search broke off, or read what it found before."""
    request = json.dumps(search_request(config, regions), sort_keys=True, indent=1, ensure_ascii=False)
    note, table = config.output / "search.json", config.output / "items.parquet"
    if note.exists():
        found = differences(json.loads(note.read_text(encoding="utf-8")), json.loads(request))
        if found:
            raise _another_run(config.output, found)
        if table.exists():
            _remove(config.output / _PAGES)
            return Items.from_parquet(table)
    elif foreign := sorted(path.name for path in config.output.iterdir() if not _early(path.name)):
        raise StoreError(
            f"output folder {config.output} is not empty ({', '.join(foreign[:3])}) and holds no run; choose "
            "another folder"
        )
    items = search(
        config.source,
        regions,
        collections=config.collection_names,
        datetime=config.datetime,
        query=config.query,
        cache=config.output / _PAGES,
    )
    write_bytes(note, request.encode())
    write_atomically(table, items.to_parquet)
    _remove(config.output / _PAGES)
    return items


def _remove(folder: Path) -> None:
    if folder.exists():
        shutil.rmtree(folder)


def _early(name: str) -> bool:
    """Whether a file is what a run leaves that was killed before it had written anything else."""
    return name in {".lock", _PAGES} or (name.startswith(".search.json.") and name.endswith(".temporary"))


def _screened(
    config: RunConfig, regions: list[Region], items: Items, report: Report | None
) -> tuple[list[_Group], pd.DataFrame]:
    """Return the scenes of each region and family, and the items that were left out."""
    found, tables = [], []
    extra = config.extra_collections
    for number, region in enumerate(regions, start=1):
        grid = region.geobox(_SCREENING_M)
        kept, left_out = screen(items, region, grid, extra_collections=extra, allow_empty=True)
        found += [group for family in config.families if (group := _members(config, kept, region, family))]
        tables.append(left_out)
        if report is not None:
            report("screening regions", number, len(regions))
    if not found:
        for region in regions:  # raises with the cause
            screen(items, region, region.geobox(_SCREENING_M), extra_collections=extra)
        raise NoItemsError(
            f"none of the {len(items)} items is of the families {', '.join(config.families)}; name others"
        )
    left_out = pd.concat([table for table in tables if len(table)] or tables[:1], ignore_index=True)
    return found, left_out.sort_values(["region", "datetime", "item_id"], kind="stable", ignore_index=True)


def _members(config: RunConfig, kept: Items, region: Region, family: str) -> _Group | None:
    extra = config.extra_collections
    records = kept.to_dicts()
    collections = [collection_for(record, extra) for record in records]
    mine = [number for number, collection in enumerate(collections) if collection.family == family]
    if not mine:
        return None
    scenes = group_scenes(kept.take(mine), region, family, variables=_named(config, family), extra_collections=extra)
    resolution_m = min(collections[number].resolution_m for number in mine)
    asked = {str(key): value for key, value in config.resolution.items()}.get(family)
    return _Group(region, family, asked or resolution_m, scenes)


def _named(config: RunConfig, family: str) -> tuple[str, ...] | None:
    return {str(key): names for key, names in config.variables.items()}.get(family)


def _specified(config: RunConfig, group: _Group) -> GroupSpec:
    """Choose the model and the bands; every scene must have one that the model starts from."""
    there = {name for scene in group.scenes for name in scene.variables}
    wanted = config.model_for(group.family)
    kind = KIND_OF_FAMILY[group.family]
    name = registry.choose(there, group.scenes[0].calibration, kind=kind) if wanted == "auto" else wanted
    card = registry.card(name)
    name, sha256 = registry.fingerprint(name)
    used: set[str] = set()
    for scene in group.scenes:
        try:
            used.update(band for band in choose_bands(scene.variables, card.primary, card.cross) if band)
        except ModelMismatchError as error:
            raise ModelMismatchError(
                f"model {name!r} does not fit scene {scene.scene_id} of region {group.region.name!r}: {error}"
            ) from None
    variables = _named(config, group.family) or tuple(name for name in VARIABLES if name in used)
    others = tuple(registry.fingerprint(member) for member in resolve_options().members)
    return GroupSpec(group.region.name, group.family, group.resolution_m, variables, name, sha256, others)


def _check_same_run(output: Path, spec: RunSpec) -> None:
    path = output / "spec.json"
    if not path.exists():
        return
    if found := differences(RunSpec.read(path).content, spec.content):
        raise _another_run(output, found)


def _another_run(output: Path, found: list[str]) -> StoreError:
    more = f" and {len(found) - 3} more" if len(found) > 3 else ""
    return StoreError(
        f"output folder {output} holds another run: {'; '.join(found[:3])}{more}; choose another folder, or "
        "undo the change to continue that run"
    )
