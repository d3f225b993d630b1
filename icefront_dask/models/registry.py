"""Find, build and load networks by name.

Architectures come from the entry-point group ``icefront_dask.models``, so that another package can add one.
Weights are the packaged ones and those in the folders of ``icefront.models.folders``; each is a
``NAME.safetensors`` with a card ``NAME.json`` beside it.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from icefront_dask._kinds import kind_of
from icefront_dask.config import section
from icefront_dask.errors import ModelMismatchError, WeightsError
from icefront_dask.models.card import Card, require_safetensors

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from torch import nn

    from icefront_dask._kinds import Kind

__all__ = ["LoadedModel", "build", "card", "choose", "fingerprint", "load", "names"]

PACKAGED = Path(__file__).with_name("weights")
GROUP = "icefront_dask.models"


@dataclass(frozen=True)
class LoadedModel:
    """A network ready for inference (float32, evaluation mode) with its card."""

    network: nn.Module
    card: Card

    @property
    def sha256(self) -> str:
        """Digest of the weights file."""
        return self.card.sha256


def _folders() -> list[Path]:
    return [PACKAGED, *(Path(folder).expanduser() for folder in section("models")["folders"])]


def names() -> list[str]:
    """Names of all weights that can be found."""
    return sorted({path.stem for folder in _folders() for path in folder.glob("*.safetensors")})


def _path(name: str) -> Path:
    given = Path(name)
    if given.suffix:
        require_safetensors(given)
        return given
    for folder in _folders():
        if (path := folder / f"{name}.safetensors").is_file():
            return path
    raise WeightsError(f"no model {name!r}; there are: {', '.join(names()) or 'none'}; or give a path to .safetensors")


def card(name: str) -> Card:
    """Card of a model, without loading its weights.

    Parameters
    ----------
    name : str
        A name of :func:`names`, or the path of a weights file.

    Raises
    ------
    WeightsError
        No such model, or its card is missing or not valid.
    """
    path = _path(name).with_suffix(".json")
    if not path.is_file():
        raise WeightsError(f"the weights {name} have no card {path.name} beside them; it says which bands they need")
    try:
        return Card.model_validate_json(path.read_text(encoding="utf-8"))
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise WeightsError(f"card {path.name}: {where}: {first['msg']}") from error


def fingerprint(name: str) -> tuple[str, str]:
    """Name and SHA-256 of a model: all of it that a graph carries."""
    found = card(name)
    return (name if Path(name).suffix else found.name), found.sha256


def build(architecture: str, options: dict[str, Any]) -> nn.Module:
    """Build a network with random weights from an entry point and its options.

    Raises
    ------
    WeightsError
        There is no such architecture, or it does not take these options.
    """
    found = entry_points(group=GROUP)
    if architecture not in found.names:
        raise WeightsError(f"no architecture {architecture!r}; installed: {', '.join(sorted(found.names))}")
    options = {key: tuple(value) if isinstance(value, list) else value for key, value in options.items()}
    factory = found[architecture].load()
    try:
        inspect.signature(factory).bind(**options)
        network: nn.Module = factory(**options)
    except (TypeError, ValueError, ZeroDivisionError) as error:
        known = ", ".join(inspect.signature(factory).parameters)
        raise WeightsError(f"architecture {architecture!r} with {options}: {error} (its options: {known})") from error
    return network


def load(name: str) -> LoadedModel:
    """Build a model and load its weights, checked against the card's SHA-256 before they are parsed.

    Raises
    ------
    WeightsError
        Missing, altered or truncated weights, or weights that do not fit the architecture.
    """
    import torch

    from icefront_dask.models.weights import read_weights

    found = card(name)
    state = read_weights(_path(name), found.sha256)
    network = build(found.architecture, found.architecture_options)
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise WeightsError(
            f"the weights {found.name} do not fit {found.architecture} with the options of their card"
        ) from error
    network = network.eval().requires_grad_(requires_grad=False)
    return LoadedModel(network.to(memory_format=torch.channels_last), found)  # type: ignore[call-overload]


def choose(
    variables: Iterable[str], calibration: str | None = None, *, cross_seen: bool = True, kind: Kind | None = None
) -> str:
    """Name of the packaged model for a cube's variables, the first of ``icefront.models.order`` that is of use.

    A model whose card requires a cross-polarised channel is of use where there is one that says something; so the
    order ``co+cross``, ``co``, optical is IceLines' rule (Baumhoer et al. 2023, Sci. Data 10, 138). A model for one
    kind of sensor is of use for scenes that are known to be of it.

    Parameters
    ----------
    variables : iterable of str
        Of the closed list (``hh hv vv vh``; ``green red nir swir16 pan thermal``; ``grey``).
    calibration : str, optional
        gamma0 | sigma0 | reflectance | uncalibrated; the robust scores of the shipped networks need none.
    cross_seen : bool, default True
        Whether the cross-polarised band, where there is one, lies above its noise floor
        (`icefront_dask.models.polarisation.floor_share`).
    kind : {"optical", "radar"}, optional
        Of the sensor, where the variables leave it open (``grey``).

    Raises
    ------
    ModelMismatchError
        No model takes these variables.
    """
    present = set(variables)
    kind = kind_of(present) or kind
    order: Sequence[str] = section("models")["order"]
    for name in order:
        found = card(name)
        crossed = cross_seen and bool(present & set(found.cross))
        of_use = found.kind in {None, kind} and (crossed or not found.cross_required)
        if of_use and present & set(found.primary):
            return name
    needs = "; ".join(_needs(name) for name in order)
    raise ModelMismatchError(
        f"no model takes the variables {', '.join(sorted(present)) or '(none)'}"
        + (f" ({calibration})" if calibration else "")
        + f": {needs}; rename a variable or name a model of your own"
    )


def _needs(name: str) -> str:
    found = card(name)
    also = f" and, above its noise floor, one of {', '.join(found.cross)}" if found.cross_required else ""
    scenes = "" if found.kind is None else f", of {found.kind} scenes"
    return f"{name} needs one of {', '.join(found.primary)}{also}{scenes}"
