"""The run file: what a user writes in YAML, validated before anything is done."""

from __future__ import annotations

import datetime as dt
import difflib
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from icefront_dask.config import section
from icefront_dask.errors import ConfigError
from icefront_dask.sensors import VARIABLES

__all__ = ["SECTIONS", "RunConfig", "read_config"]

SECTIONS = ("models", "catalog", "cube", "predict", "fronts", "change", "publish", "runs")

Family = Literal["sentinel-1", "landsat"]


class RunConfig(BaseModel):
    """A run as its user describes it; relative paths are relative to the file that it comes from.

    Attributes
    ----------
    source : str
        URL of a STAC API, or a stac-geoparquet file, static catalogue or item collection.
    regions : Path
        GeoParquet, GeoPackage or GeoJSON of regions.
    output : Path
        The run folder.
    store : str, optional
        Where the cubes lie: a path or URL of a Zarr hierarchy (s3, gs, az), or ``icechunk+URL`` of a repository; by
        default ``cube.zarr`` in the run folder. It may hold the cubes of other runs. Scenes that a cube has not are
        appended to it, one that was processed again since takes over its slot. One run at a time may write to it.
    region_names : tuple of str, optional
        Regions to work on, by default all of the file.
    datetime : str, optional
        RFC 3339 instant or interval as STAC takes it, e.g. ``2018-06-01/2018-06-30``.
    collections : list of str or dict, optional
        STAC collections to search, by default all that are known. As a mapping, a name may carry the
        description of a collection that the package does not know, see ``sensors.user_collection``.
    query : dict, optional
        Passed on to the STAC API.
    families : tuple of str
        Sensor families to work on.
    resolution : dict
        Pixel size in metres of the working CRS for a family; by default that of the collection.
    variables : dict
        Bands of the cube for a family; by default those that the model takes.
    verdicts : Path, optional
        CSV of verdicts that the page of ``icefront review`` saved. They are put on the fronts before series and
        statistics are made; they are no part of the specification, and a run that is repeated with others keeps
        its units.
    model : str or dict
        ``auto``, a model's name or the path of its ``.safetensors`` file, or these for each family.
    models, catalog, cube, predict, fronts, change, publish, runs : dict
        Settings that replace the packaged ones (``icefront.yaml``).
    """

    model_config = ConfigDict(extra="forbid", frozen=True, protected_namespaces=())

    source: str
    regions: Path
    output: Path
    store: str | None = None
    region_names: tuple[str, ...] | None = None
    datetime: str | None = None
    collections: tuple[str, ...] | dict[str, dict[str, Any] | None] | None = None
    query: dict[str, Any] | None = None
    families: tuple[Family, ...] = ("sentinel-1", "landsat")
    resolution: dict[Family, float] = Field(default_factory=dict)
    variables: dict[Family, tuple[str, ...]] = Field(default_factory=dict)
    verdicts: Path | None = None
    model: str | dict[Family, str] = "auto"
    models: dict[str, Any] = Field(default_factory=dict)
    catalog: dict[str, Any] = Field(default_factory=dict)
    cube: dict[str, Any] = Field(default_factory=dict)
    predict: dict[str, Any] = Field(default_factory=dict)
    fronts: dict[str, Any] = Field(default_factory=dict)
    change: dict[str, Any] = Field(default_factory=dict)
    publish: dict[str, Any] = Field(default_factory=dict)
    runs: dict[str, Any] = Field(default_factory=dict)

    @field_validator("datetime", mode="before")
    @classmethod
    def _date_as_text(cls, value: Any) -> Any:
        # YAML reads 2018-06-01 as a date.
        return value.isoformat() if isinstance(value, (dt.date, dt.datetime)) else value

    @field_validator("resolution")
    @classmethod
    def _positive(cls, value: dict[str, float]) -> dict[str, float]:
        if bad := {family: size for family, size in value.items() if not size > 0}:
            raise ValueError(f"pixel sizes must be positive metres, not {bad}")
        return value

    @field_validator("store")
    @classmethod
    def _without_credentials(cls, value: str | None) -> str | None:
        if value is not None and "@" in urlsplit(value.removeprefix("icechunk+")).netloc:
            raise ValueError("a URL must not hold credentials; they come from the environment of the workers")
        return value

    @property
    def collection_names(self) -> list[str] | None:
        """Collections to search, None for all that are known."""
        return None if self.collections is None else list(self.collections)

    @property
    def extra_collections(self) -> dict[str, dict[str, Any]]:
        """Collections that the run file describes."""
        if not isinstance(self.collections, dict):
            return {}
        return {name: description for name, description in self.collections.items() if description}

    def settings(self) -> dict[str, dict[str, Any]]:
        """Return every section of the configuration with this run's values in place.

        Raises
        ------
        ConfigError
            For a key that a section does not have.
        """
        return {name: section(name, **getattr(self, name)) for name in SECTIONS}

    def absolute(self, folder: Path) -> RunConfig:
        """Return this run file with its relative paths taken from `folder`."""

        def weights(name: str) -> str:
            return str((folder / name).resolve()) if name.endswith(".safetensors") else name

        model = self.model
        return self.model_copy(
            update={
                "model": weights(model)
                if isinstance(model, str)
                else {family: weights(name) for family, name in model.items()},
                "source": self.source if "://" in self.source else str((folder / self.source).resolve()),
                "regions": (folder / self.regions).resolve(),
                "output": (folder / self.output).resolve(),
                "store": self.store
                if self.store is None or "://" in self.store
                else str((folder / self.store).resolve()),
                "verdicts": None if self.verdicts is None else (folder / self.verdicts).resolve(),
            }
        )

    def model_for(self, family: str) -> str:
        """Return the model's name that was asked for, or ``auto``."""
        if isinstance(self.model, str):
            return self.model
        return {str(key): name for key, name in self.model.items()}.get(family, "auto")


def read_config(path: Path) -> RunConfig:
    """Read and validate a run file.

    Parameters
    ----------
    path : Path
        YAML.

    Returns
    -------
    RunConfig
        With absolute paths.

    Raises
    ------
    ConfigError
        If the file is missing, is not YAML, has an unknown key or a value of the wrong kind.
    """
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"no run file {path}; write one as the README shows") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a readable YAML file: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise ConfigError(f"{path}: a run file is a mapping of keys, such as source, regions and output")
    config = parse_config(content, path.name)
    return config.absolute(path.resolve().parent)


def parse_config(content: dict[str, Any], name: str = "configuration") -> RunConfig:
    """Validate the content of a run file; `name` stands in the messages.

    Raises
    ------
    ConfigError
        As `read_config`.
    """
    try:
        config = RunConfig.model_validate(content)
    except ValidationError as error:
        raise ConfigError(f"{name}: " + "; ".join(_describe(detail) for detail in error.errors())) from None
    try:
        config.settings()
    except ConfigError as error:
        raise ConfigError(f"{name}: {error}") from None
    for family, chosen in config.variables.items():
        if unknown := sorted(set(chosen) - set(VARIABLES)):
            known = ", ".join(VARIABLES)
            raise ConfigError(f"{name}: key 'variables.{family}': unknown {', '.join(unknown)}; known: {known}")
    return config


def _describe(detail: Any) -> str:
    key = ".".join(str(part) for part in detail["loc"])
    known = list(RunConfig.model_fields)
    if detail["type"] == "extra_forbidden":
        close = difflib.get_close_matches(key, known, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        return f"unknown key {key!r}; {hint}known: {', '.join(known)}"
    if detail["type"] == "missing":
        return f"key {key!r} is missing"
    message = detail["msg"].removeprefix("Value error, ")
    return f"key {key!r}: {message[:1].lower()}{message[1:]} (got {detail['input']!r})"
