"""Put trained weights into a folder of the registry, with their card."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.models.card import Card
from icefront_dask.models.protocols import OWN, PROTOCOLS
from icefront_dask.models.weights import sha256_of
from icefront_dask.train.layouts import entries
from icefront_dask.train.pairs import glacier_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from icefront_dask._kinds import Kind
    from icefront_dask.train.config import TrainConfig

__all__ = ["SIMULATED", "card_of", "glaciers_of", "kind_of_training", "protocol_of", "seeds_of", "ship", "write_card"]

MAX_SHIPPED_BYTES = 16 * 2**20
_PAIRS = (
    "123 pairs of Landsat 5/7/8 crops and hand-drawn fronts of Sverdrup, Jakobshavn and Kangerlussuaq, Greenland, "
    "1985-2016 (Mohajerani et al. 2019; MIT; imagery courtesy of USGS), as they are, with inverted, shifted or "
    "water-like oceans, and restyled in the manner of SAR"
)
SIMULATED = (
    "scenes of this package's simulator: SAR backscatter (co- and cross-polarised) and near-infrared reflectance"
)


_SUMMARY = (
    "Ice and front of glaciers and ice shelves in one band of SAR or optical imagery, with a second "
    "(cross-polarised) band where there is one"
)
_PRIMARY = {
    None: ("hh", "vv", "nir", "grey", "red", "green", "pan"),
    "optical": ("nir", "grey", "red", "green", "pan"),
    "radar": ("hh", "vv", "grey"),
}
_SCALING = "SAR in dB; robust score (median, 1.4826 MAD of the scene's valid pixels) clipped to +-4; invalid 0"


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
    card = card_of(
        configs, sha256_of(weights), name, version=version, commands=commands, scores=scores, failures=known_failures
    )
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(weights, folder / f"{name}.safetensors")
    (folder / f"{name}.json").write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return card


def card_of(
    configs: Sequence[TrainConfig],
    sha256: str,
    name: str,
    *,
    version: str = "0",
    commands: Sequence[str] = (),
    scores: dict[str, Any] | None = None,
    failures: Sequence[str] = (),
) -> Card:
    """Return the card of weights that were trained in the stages of ``configs``.

    What initial weights have seen counts as seen, where they have a card; without one it is not known.

    Raises
    ------
    ConfigError
        The task and the preprocessing are those of no protocol, so that the weights cannot be applied to an image.
    """
    last = configs[-1]
    way = protocol_of(last)
    if way is None:
        raise ConfigError(
            f"task {last.task} with preprocessing {last.preprocessing} is the way of no paper, so these weights cannot "
            f"be applied to an image; known are: {', '.join((OWN, *PROTOCOLS))}"
        )
    own = way == OWN
    options = {key: value for key, value in last.architecture_options.items() if key != "deep_supervision"}
    network = registry.build(last.architecture, options)
    first = _start(configs[0])
    kind = kind_of_training(last)
    data = [text for config in configs for text in _data_of(config)]
    if configs[0].init is not None:
        before = (f"what {configs[0].init.name} has seen, which has no card",)
        data = [*(before if first is None else first.training_data), *data]
    return Card(
        name=name,
        version=version,
        summary=_SUMMARY if own else f"A network of {last.architecture} by the protocol {way}",
        sha256=sha256,
        architecture=last.architecture,
        architecture_options=options,
        primary=_PRIMARY[kind],
        cross=() if kind == "optical" else ("hv", "vh"),
        kind=kind,
        outputs=("ice", "front") if own else PROTOCOLS[way].outputs,
        protocol=way,
        guided=last.guided is not None,
        scaling=_SCALING if own else f"preprocessing {last.preprocessing}, see icefront_dask.train.preparation",
        stride=network.stride,
        receptive_radius=network.receptive_radius,
        shift_equivariant=network.shift_equivariant,
        pixel_size_m=(10.0, 60.0),
        training_data=tuple(dict.fromkeys(data)),
        training_glaciers=_all_glaciers(configs, first),
        licence="Apache-2.0" if own else "that of the training data allows",
        seed=last.seed,
        simulated_seeds=(*(() if first is None else first.simulated_seeds), *(seeds_of(config) for config in configs)),
        command=tuple(commands),
        scores=scores or {},
        known_failures=tuple(failures),
    )


def write_card(config: TrainConfig, weights: Path, command: str) -> Path | None:
    """Write the card of a training's weights beside them, ``NAME.json``; None where no protocol applies them."""
    if protocol_of(config) is None:
        return None
    card = card_of([config], sha256_of(weights), config.name, commands=[command])
    path = weights.with_suffix(".json")
    path.write_text(card.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return path


def protocol_of(config: TrainConfig) -> str | None:
    """Return the protocol by which the weights of a training are applied, None where there is none."""
    if (config.task, config.preprocessing) == ("ice-front", "robust"):
        return OWN
    for name, way in PROTOCOLS.items():
        if (way.task, way.preparation) == (config.task, config.preprocessing):
            return name
    return None


def kind_of_training(config: TrainConfig) -> Kind | None:
    """Return the kind of sensor whose looks alone the stream of a training's last stage shows; None for both."""
    if config.data is not None:
        return None
    mix = config.mix
    styles = {name for name, share in mix.styles.items() if share > 0 and mix.pairs}
    radar, optical = bool(mix.sar) or "radar" in styles, bool(mix.optical) or bool(styles - {"radar"})
    return None if radar == optical else "radar" if radar else "optical"


def glaciers_of(config: TrainConfig) -> tuple[str, ...]:
    """Return the glaciers whose labelled scenes a training sees, without those held out."""
    found: set[str] = set()
    if config.data is None and config.mix.pairs and config.pairs is not None:
        found = {glacier_of(path.name) for path in (config.pairs / "labels_1px").glob("*_Front.png")}
    elif config.data is not None and config.data.layout != "simulated":
        found = {entry.group for entry in entries(config.data)}
    return tuple(sorted(found - set(config.hold_out)))


def _start(config: TrainConfig) -> Card | None:
    """Card of the weights that a training starts from; None where it starts from none or they have none."""
    if config.init is None or not config.init.with_suffix(".json").is_file():
        return None
    return registry.card(str(config.init))


def _all_glaciers(configs: Sequence[TrainConfig], first: Card | None) -> tuple[str, ...] | None:
    if configs[0].init is not None and (first is None or first.training_glaciers is None):
        return None
    seen = {glacier for config in configs for glacier in glaciers_of(config)}
    return tuple(sorted(seen | set(first.training_glaciers or () if first is not None else ())))


def _data_of(config: TrainConfig) -> list[str]:
    if config.data is not None:
        return [SIMULATED if config.data.layout == "simulated" else f"a data set of layout {config.data.layout}"]
    return ([_PAIRS] if config.mix.pairs else []) + ([SIMULATED] if config.mix.sar + config.mix.optical else [])
