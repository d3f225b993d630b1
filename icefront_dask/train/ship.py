"""Put trained weights into a folder of the registry, with their card."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from icefront_dask.models import registry
from icefront_dask.models.card import Card
from icefront_dask.models.weights import sha256_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from icefront_dask.train.config import TrainConfig

__all__ = ["SIMULATED", "seeds_of", "ship"]

MAX_SHIPPED_BYTES = 16 * 2**20
_PAIRS = (
    "123 pairs of Landsat 5/7/8 crops and hand-drawn fronts of Sverdrup, Jakobshavn and Kangerlussuaq, Greenland, "
    "1985-2016 (Mohajerani et al. 2019; MIT; imagery courtesy of USGS), as they are, with inverted, shifted or "
    "water-like oceans, and restyled in the manner of SAR"
)
SIMULATED = (
    "scenes of this package's simulator: SAR backscatter (co- and cross-polarised) and near-infrared reflectance"
)


def seeds_of(config: TrainConfig) -> tuple[int, int]:
    """First and last seed of the simulated scenes that a training saw."""
    return config.simulated_seed, config.simulated_seed + config.cache + config.last_step // config.refresh_every


def ship(
    weights: Path,
    configs: Sequence[TrainConfig],
    *,
    name: str,
    version: str,
    commands: Sequence[str],
    scores: dict[str, Any],
    known_failures: Sequence[str],
    folder: Path = registry.PACKAGED,
) -> Card:
    """Copy weights to ``folder/NAME.safetensors`` and write ``folder/NAME.json``.

    Parameters
    ----------
    weights : Path
        As :func:`icefront_dask.train.fit.fit` left them.
    configs : sequence of TrainConfig
        Of all stages, in order.
    name, version : str
    commands : sequence of str
        What makes the weights again.
    scores : dict
        What was measured, each with what it was measured on.
    known_failures : sequence of str
    folder : Path

    Raises
    ------
    ValueError
        The weights are larger than 16 MiB.
    """
    if (size := weights.stat().st_size) > MAX_SHIPPED_BYTES:
        raise ValueError(f"{weights.name}: {size} bytes are more than the {MAX_SHIPPED_BYTES} that may ship")
    last = configs[-1]
    options = {key: value for key, value in last.architecture_options.items() if key != "deep_supervision"}
    network = registry.build(last.architecture, options)
    data = ([_PAIRS] if last.mix.pairs else []) + ([SIMULATED] if last.mix.sar + last.mix.optical else [])
    card = Card(
        name=name,
        version=version,
        summary="Ice and front of glaciers and ice shelves in one band of SAR or optical imagery, with a second "
        "(cross-polarised) band where there is one",
        sha256=sha256_of(weights),
        architecture=last.architecture,
        architecture_options=options,
        primary=("hh", "vv", "nir", "grey", "red", "green", "pan"),
        cross=("hv", "vh"),
        scaling="SAR in dB; robust score (median, 1.4826 MAD of the scene's valid pixels) clipped to +-4; invalid 0",
        stride=network.stride,
        receptive_radius=network.receptive_radius,
        shift_equivariant=network.shift_equivariant,
        pixel_size_m=(10.0, 60.0),
        training_data=tuple(data),
        licence="Apache-2.0",
        seed=last.seed,
        simulated_seeds=tuple(seeds_of(config) for config in configs),
        command=tuple(commands),
        scores=scores,
        known_failures=tuple(known_failures),
    )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card
