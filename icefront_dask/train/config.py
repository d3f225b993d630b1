"""The configuration of a training, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from icefront_dask.errors import ConfigError

__all__ = ["Mix", "TrainConfig", "read_train_config"]


class Mix(BaseModel):
    """Samples of each kind in a batch."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    pairs: int = Field(3, ge=0, description="image and line pairs, restyled")
    sar: int = Field(3, ge=0, description="simulated SAR")
    optical: int = Field(2, ge=0, description="simulated optical")


class TrainConfig(BaseModel):
    """One training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    out: Path = Field(description="folder of checkpoints, log and final weights")
    pairs: Path | None = Field(None, description="folder with images/ and labels_1px/")
    hold_out: tuple[str, ...] = Field((), description="glaciers left out of the training")
    init: Path | None = Field(None, description="weights to start from (.safetensors)")
    seed: int = 0
    simulated_seed: int = Field(1_000_000, description="first seed of the simulated scenes")
    cache: int = Field(400, ge=1, description="simulated scenes held at a time")
    refresh_every: int = Field(3, ge=1, description="steps after which the oldest scene is replaced")
    scene_px: int = 400
    fjord_px: tuple[float, float] = Field((40.0, 350.0), description="least and greatest width of a simulated fjord")
    off_centre: float = Field(0.25, description="farthest that a front lies from the middle, in sides of the scene")
    holes: float = Field(0.5, ge=0, le=1, description="share of the windows with missing pixels")
    crop_px: int = Field(320, multiple_of=16)
    steps: int = Field(3000, ge=1, description="length of the schedule")
    stop_after: int | None = Field(None, ge=1, description="end before the schedule does, after so many steps")
    warm_up: int = 200
    learning_rate: float = 1e-3
    final_share: float = Field(0.02, description="of the learning rate at the last step")
    weight_decay: float = 1e-4
    clip: float = 1.0
    ice_gain: float = Field(1.0, ge=0, description="of the loss on ice")
    front_gain: float = Field(2.0, ge=0, description="of the loss on the front")
    side_gain: float = Field(0.5, ge=0, description="of the mean loss of the side heads (deep_supervision)")
    ema: float = Field(0.999, ge=0, lt=1)
    checkpoint_every: int = 250
    precision: Literal["bf16", "fp32"] = "bf16"
    threads: int = 2
    mix: Mix = Mix()
    architecture: str = "unet_aspp"
    architecture_options: dict[str, Any] = Field(
        default_factory=lambda: {
            "in_channels": 3,
            "out_channels": 2,
            "width": 16,
            "norm": "batch",
            "pooling": False,
            "dropout": 0.1,
        }
    )

    @property
    def last_step(self) -> int:
        """Steps that are made."""
        return min(self.steps, self.stop_after or self.steps)


def read_train_config(path: Path) -> TrainConfig:
    """Read a YAML file; relative paths are relative to it.

    Raises
    ------
    ConfigError
        The file is missing, or a key is unknown or out of range.
    """
    if not path.is_file():
        raise ConfigError(f"no training configuration {path}; see configs/ for the one of the shipped weights")
    values = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    try:
        config = TrainConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(TrainConfig.model_fields)
        raise ConfigError(f"{path}: {where}: {first['msg']} (known keys: {known})") from error
    folder = path.parent
    changes = {
        key: folder / value
        for key in ("out", "pairs", "init")
        if (value := getattr(config, key)) is not None and not value.is_absolute()
    }
    return config.model_copy(update=changes)
