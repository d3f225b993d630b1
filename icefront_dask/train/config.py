"""The configuration of a training, validated."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal, get_args

import yaml
from pydantic import BaseModel, ConfigDict, Field, PositiveFloat, ValidationError, field_validator

from icefront_dask.errors import ConfigError
from icefront_dask.simulate.ablation import check_ingredients
from icefront_dask.train.pairs import ANY_TURN_DEG, SCALES
from icefront_dask.train.sections import Data, Mix, Schedule, Validation

__all__ = ["Data", "Mix", "Schedule", "TrainConfig", "Validation", "read_mapping", "read_train_config"]


class TrainConfig(BaseModel):
    """One training."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    out: Path = Field(description="folder of checkpoints, log and final weights")
    task: str = Field("ice-front", description="what is taught, see icefront_dask.train.tasks")
    loss: str | None = Field(None, description="one of the task's; default: its first")
    data: Data | None = Field(None, description="a labelled data set; without one the stream of mix")
    preprocessing: str = Field("robust", description="of data, see icefront_dask.train.preparation")
    augmentation: str = Field("recipe", description="of data, see icefront_dask.train.published_augment")
    batch: int = Field(8, ge=1, description="windows of data in a batch, over all processes")
    epochs: int | None = Field(None, ge=1, description="passes over data; replaces steps")
    pairs: Path | None = Field(None, description="folder with images/ and labels_1px/, for mix")
    hold_out: tuple[str, ...] = Field((), description="glaciers left out of the training")
    init: Path | None = Field(None, description="weights to start from (.safetensors)")
    seed: int = 0
    simulated_seed: int = Field(1_000_000, description="first seed of the simulated scenes")
    cache: int = Field(400, ge=1, description="simulated scenes held at a time")
    refresh_every: int = Field(3, ge=1, description="steps after which the oldest scene is replaced")
    scene_px: int = 400
    fjord_px: tuple[float, float] = Field((40.0, 350.0), description="least and greatest width of a simulated fjord")
    off_centre: float = Field(0.25, description="farthest that a front lies from the middle, in sides of the scene")
    calved: float = Field(0.0, ge=0, le=1, description="share of the scenes with a long piece beside the front")
    jagged: float = Field(0.0, ge=0, le=1, description="share of the simulated scenes whose front is one of blocks")
    holes: float = Field(0.5, ge=0, le=1, description="share of the windows with missing pixels")
    shades: float = Field(0.0, ge=0, le=1, description="share of the pairs and optical windows of mix in cast shadow")
    pair_scales: tuple[PositiveFloat, PositiveFloat] = Field(
        SCALES, description="least and greatest scale of the pairs of mix"
    )
    pair_turn_deg: float = Field(
        ANY_TURN_DEG, ge=0, le=ANY_TURN_DEG, description="farthest that their glaciers turn from flowing up or down"
    )
    guided: float | None = Field(
        None, ge=0, le=1, description="share of the windows of mix that are told the way to the sea; in_channels is 4"
    )
    without: tuple[str, ...] = Field((), description="ingredients of the simulator left out, see simulate.ablation")
    crop_px: int = Field(320, multiple_of=16, description="side of the windows")
    steps: int = Field(3000, ge=1, description="length of the schedule")
    stop_after: int | None = Field(None, ge=1, description="end before the schedule does, after so many steps")
    warm_up: int = 200
    learning_rate: float = 1e-3
    final_share: float = Field(0.02, description="of the learning rate at the last step")
    weight_decay: float = 1e-4
    optimiser: Literal["adamw", "adam", "sgd"] = "adamw"
    schedule: Schedule = Schedule()
    accumulate: int = Field(1, ge=1, description="parts of a batch whose gradients are added up")
    l1: float = Field(0.0, ge=0, description="times the sum of the absolute weights, added to the loss")
    clip: float = Field(1.0, ge=0, description="greatest norm of the gradient; 0 for any")
    ice_gain: float = Field(1.0, ge=0, description="of the loss on ice")
    front_gain: float = Field(2.0, ge=0, description="of the loss on the front")
    side_gain: float = Field(0.5, ge=0, description="of the mean loss of the side heads (deep_supervision)")
    line_px: int = Field(5, ge=1, description="width of the line that task front teaches")
    line_gain: float = Field(241.15, gt=0, description="of a pixel of the line in the loss weighted-bce")
    ema: float = Field(0.999, ge=0, lt=1, description="of the averaged weights, which are the result; 0: the last")
    validation: Validation | None = Field(
        None, description="images of data kept apart; the best weights are the result"
    )
    checkpoint_every: int = 250
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["bf16", "fp16", "fp32"] = "bf16"
    threads: int = 2
    loaders: int = Field(1, ge=0, description="processes that make the windows of data; 0: this one")
    curves: bool = Field(True, description="draw curves.png (needs the extra plot)")
    tensorboard: bool = Field(False, description="write events for TensorBoard (needs the extra tensorboard)")
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

    @field_validator("without")
    @classmethod
    def _known_ingredients(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        check_ingredients(names)
        return names

    @property
    def last_step(self) -> int:
        """Steps that are made."""
        return min(self.steps, self.stop_after or self.steps)


def read_train_config(path: Path) -> TrainConfig:
    """Read a YAML file; relative paths are relative to it.

    Raises
    ------
    ConfigError
        The file is missing or no mapping in YAML, or a key is unknown or out of range.
    """
    if not path.is_file():
        raise ConfigError(f"no training configuration {path}; see configs/ for the one of the shipped weights")
    values = read_mapping(path)
    try:
        config = TrainConfig(**values)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        known = ", ".join(_fields(TrainConfig, first["loc"]))
        raise ConfigError(f"{path}: {where}: {first['msg']} (known keys: {known})") from error
    folder = path.parent
    changes: dict[str, Any] = _joined(config, ("out", "pairs", "init"), folder)
    if config.data is not None:
        changes["data"] = config.data.model_copy(update=_joined(config.data, ("path", "fronts", "regions"), folder))
    return config.model_copy(update=changes)


def read_mapping(path: Path) -> dict[str, Any]:
    """Return what a YAML file says, key by key.

    Raises
    ------
    ConfigError
        It is no YAML, or no mapping.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise ConfigError(f"{path} is not a readable YAML file: {error}") from error
    if not isinstance(values, dict):
        raise ConfigError(f"{path}: a configuration is a mapping of keys to values; see configs/")
    return values


def _fields(model: type[BaseModel], where: tuple[str | int, ...]) -> list[str]:
    """Names of the fields beside the one at ``where``."""
    for part in where[:-1]:
        field = model.model_fields.get(str(part))
        kinds = [] if field is None else [field.annotation, *get_args(field.annotation)]
        inner = [kind for kind in kinds if isinstance(kind, type) and issubclass(kind, BaseModel)]
        if not inner:
            break
        model = inner[0]
    return list(model.model_fields)


def _joined(section: BaseModel, keys: tuple[str, ...], folder: Path) -> dict[str, Path]:
    """Relative paths of a section, made relative to a folder."""
    values = {key: getattr(section, key) for key in keys}
    return {key: folder / value for key, value in values.items() if value is not None and not value.is_absolute()}
