"""Settings of the fronts room; values and meaning are in section ``fronts`` of ``icefront.yaml``."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from icefront_dask.config import packaged, section
from icefront_dask.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["METHODS", "FrontOptions", "from_config", "resolve"]

METHODS = ("outputs", "calfin", "caffe")


@dataclass(frozen=True)
class FrontOptions:
    """Resolved settings, one field a key of section ``fronts``.

    Raises
    ------
    ConfigError
        For an unknown method.
    """

    method: str
    threshold: float
    faint_threshold: float
    weak_threshold: float
    smooth_px: float
    min_ridge_px: int
    fill_px: int
    land_elevation_m: float
    second_look: bool
    support_px: float
    support_contrast: float
    unsupported_penalty: float
    edge_penalty: float
    unknown_cost: float
    max_bridge_px: float
    wall_px: float
    parallel_px: float
    reach_wall_px: float
    end_strength: float
    end_direction: float
    end_offset: float
    end_relative: float
    min_length_m: float
    min_width_share: float
    min_length_px: float
    max_fronts: int
    secondary_share: float
    refine_px: float
    ice_weight: float
    smooth_line_px: float
    max_smoothing_px: float
    simplify_m: float
    pixel_error_px: float
    uncertainty_factor: float
    uncertainty_doubt: float
    orbit_pair_days: float
    orbit_min_pairs: int
    min_valid_share: float
    accept_confidence: float
    reject_confidence: float
    min_agreement: float
    max_unseen_px: float
    min_shown_share: float
    min_uniqueness: float
    max_gap_fraction: float
    max_cloud_share: float
    max_hidden_share: float
    min_fjord_share: float
    weight_ridge: float
    weight_sharpness: float
    weight_contrast: float
    weight_agreement: float
    weight_coverage: float
    weight_uniqueness: float
    weight_gap: float
    weight_cloud: float

    def __post_init__(self) -> None:
        if self.method not in METHODS:
            raise ConfigError(f"no {self.method!r} for fronts.method; there are: {', '.join(METHODS)}")


@cache
def _packaged() -> FrontOptions:
    return FrontOptions(**packaged()["fronts"])


def from_config(**overrides: Any) -> FrontOptions:
    """Return the settings of Dask's configuration with keyword overrides that are not ``None``.

    Raises
    ------
    ConfigError
        For an unknown key.
    """
    return FrontOptions(**section("fronts", **overrides))


def resolve(options: FrontOptions | Mapping[str, Any] | None) -> FrontOptions:
    """Return settings for a kernel: keys that a mapping lacks are those of the package, not of the machine.

    Raises
    ------
    ConfigError
        For an unknown key.
    """
    if isinstance(options, FrontOptions):
        return options
    values = dict(options or {})
    if unknown := sorted(set(values) - {field.name for field in dataclasses.fields(FrontOptions)}):
        known = ", ".join(field.name for field in dataclasses.fields(FrontOptions))
        raise ConfigError(f"unknown key {', '.join(unknown)} in the options of fronts; known: {known}")
    return dataclasses.replace(_packaged(), **values)
