"""Packaged defaults (``icefront.yaml``) in Dask's configuration, under the key ``icefront``.

Any value can be set by ``dask.config.set({"icefront.fronts.min_confidence": 0.5})``, by a YAML file in Dask's
configuration folders or by an environment variable ``DASK_ICEFRONT__FRONTS__MIN_CONFIDENCE``. Configuration on a
client is not on its workers: a run resolves it once into its frozen specification.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import dask.config
import yaml

from icefront_dask.errors import ConfigError

__all__ = ["DEFAULTS_PATH", "packaged", "section"]

DEFAULTS_PATH = Path(__file__).with_name("icefront.yaml")

with DEFAULTS_PATH.open(encoding="utf-8") as _stream:
    _PACKAGED: dict[str, Any] = yaml.safe_load(_stream)
dask.config.update_defaults(_PACKAGED)


def packaged() -> dict[str, Any]:
    """Return a copy of the packaged defaults, unchanged by any user's configuration."""
    return copy.deepcopy(_PACKAGED["icefront"])


def section(name: str, **overrides: Any) -> dict[str, Any]:
    """Return the resolved settings of one section, with keyword overrides that are not ``None``.

    Parameters
    ----------
    name : str
        A top-level key of ``icefront.yaml``: ``catalog``, ``cube``, ``predict``, ``fronts``, ``change``, ``runs``.
    **overrides
        Values which replace those of the configuration.

    Raises
    ------
    ConfigError
        For an unknown section or key.
    """
    known = _PACKAGED["icefront"].get(name)
    if known is None:
        raise ConfigError(f"no section {name!r} in the configuration; there are: {', '.join(_PACKAGED['icefront'])}")
    values: dict[str, Any] = {**known, **dask.config.get(f"icefront.{name}", {})}
    values = {key.replace("-", "_"): value for key, value in values.items()}
    values.update({key: value for key, value in overrides.items() if value is not None})
    if unknown := sorted(set(values) - set(known)):
        raise ConfigError(
            f"unknown key {', '.join(unknown)} in section {name!r} of the configuration; known: {', '.join(known)}"
        )
    return copy.deepcopy(values)
