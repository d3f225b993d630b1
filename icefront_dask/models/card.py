"""Model cards: what a set of weights is, needs and achieved."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from icefront_dask.errors import WeightsError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Card", "require_safetensors"]


def require_safetensors(path: Path) -> None:
    """Refuse a file of another kind by its name, before it is opened."""
    if path.suffix != ".safetensors":
        raise WeightsError(
            f"{path.name}: only .safetensors weights are read, since a pickle can run code; convert a state_dict "
            "of yours with safetensors.torch.save_file(torch.load(FILE, weights_only=True), 'name.safetensors')"
        )


class Card(BaseModel):
    """What belongs to one weights file; kept beside it as ``NAME.json``."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,62}$")
    version: str
    summary: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$", description="of the weights file")
    architecture: str = Field(description="entry point in the group icefront_dask.models")
    architecture_options: dict[str, Any]
    primary: tuple[str, ...] = Field(
        description="variables that can serve as the first channel, in order of preference"
    )
    cross: tuple[str, ...] = Field((), description="variables that can serve as the second channel, where present")
    kind: Literal["optical", "radar"] | None = Field(
        None, description="the only kind of sensor whose scenes it is for; null for both"
    )
    cross_required: bool = Field(default=False, description="whether it is of use with a second channel only")
    guided: bool = Field(
        default=False, description="whether the third channel says which way the sea is (models.normalise.seaward)"
    )
    outputs: tuple[str, ...] = ("ice", "front")
    protocol: str = Field("icefront", description="how it is applied, see icefront_dask.models.protocols")
    precisions: tuple[str, ...] = Field(
        ("fp32",),
        description="which of an engine `engine: auto` may take: fp32, and those by which fronts on real scenes moved "
        "less than 0.05 px (benchmarks/bench_predict.py --only precision)",
    )
    scaling: str
    stride: int
    receptive_radius: int
    shift_equivariant: bool
    pixel_size_m: tuple[float, float] = Field(description="range of pixel sizes seen in training")
    training_data: tuple[str, ...]
    training_glaciers: tuple[str, ...] | None = Field(
        None, description="whose labelled scenes it or its initial weights have seen; null where that is not known"
    )
    licence: str
    seed: int
    simulated_seeds: tuple[tuple[int, int], ...] = Field(description="ranges [first, last] of the simulator's seeds")
    command: tuple[str, ...]
    scores: dict[str, Any]
    known_failures: tuple[str, ...]
