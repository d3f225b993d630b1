"""The sections of a training's configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator

from icefront_dask.train.pairs import STYLES

__all__ = ["Data", "Mix", "Schedule", "Validation"]


class Mix(BaseModel):
    """Samples of each kind in a batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: int = Field(3, ge=0, description="image and line pairs, restyled")
    styles: dict[str, float] = Field(default_factory=lambda: dict(STYLES), description="shares of the pairs' styles")
    sar: int = Field(3, ge=0, description="simulated SAR")
    optical: int = Field(2, ge=0, description="simulated optical")
    foreign: float = Field(0.0, ge=0, le=1, description="share of the simulated SAR with random looks")
    bare: float = Field(0.0, ge=0, le=1, description="share of these whose random textures are all that they have")

    @field_validator("styles")
    @classmethod
    def _known(cls, styles: dict[str, float]) -> dict[str, float]:
        if (unknown := sorted(set(styles) - set(STYLES))) or min(styles.values(), default=0) < 0:
            raise ValueError(f"shares (from 0 on) of {', '.join(STYLES)} are expected, not {unknown or styles}")
        if not sum(styles.values()) > 0:
            raise ValueError("the shares of the styles add up to nothing")
        return styles


class Data(BaseModel):
    """A data set of one layout."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    layout: str = Field(description="pairs, caffe, calfin, cube or simulated")
    path: Path | None = Field(None, description="folder or Zarr store")
    split: str = Field("train", description="of the layout caffe")
    fronts: Path | None = Field(None, description="lines with scene_id, of the layout cube")
    regions: Path | None = Field(None, description="regions with fjord and flowlines, of the layout cube")
    family: str | None = Field(None, description="sentinel-1 or landsat, of the layout cube")
    bands: tuple[str, ...] = Field(("hh", "hv"), description="variables, of the layout cube")
    sensor: Literal["sar", "optical"] = Field("sar", description="of the layout simulated")
    scenes: int = Field(100, ge=1, description="of the layout simulated")
    scene_px: int = Field(400, ge=32, description="of the layout simulated")
    first_seed: int = Field(9_000_000, description="of the layout simulated")
    cache_mb: int = Field(2000, ge=0, description="decoded images kept in memory")


class Schedule(BaseModel):
    """How the learning rate changes; ``learning_rate`` is the highest."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Literal["cosine", "constant", "cyclic", "plateau"] = Field(
        "cosine", description="cosine: warm_up, then down to final_share at the last step"
    )
    low: float = Field(4e-5, gt=0, description="cyclic: lowest rate")
    step_up: int = Field(30_000, ge=1, description="cyclic: steps from the lowest to the highest rate, and back")
    factor: float = Field(0.5, gt=0, lt=1, description="plateau: of the rate, after patience validations in vain")
    patience: int = Field(5, ge=1, description="plateau")
    min_delta: float = Field(1e-4, ge=0, description="plateau: a smaller gain is none")


class Validation(BaseModel):
    """Images kept apart, what is watched on them, and when training stops early."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    share: float = Field(0.1, gt=0, lt=1, description="of the images, drawn once by seed")
    seed: int = 1
    every: int | None = Field(None, ge=1, description="steps between two validations; default: an epoch")
    monitor: str = Field("loss", description="loss, mean_iou, iou_CLASS, or calfin: (25 IoU_edge + IoU_ice) / 26")
    patience: int | None = Field(None, ge=1, description="validations in vain after which training stops")
