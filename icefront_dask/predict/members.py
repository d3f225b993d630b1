"""Several answers to one question, added up as they come: augmentations, networks, levels.

This file imports neither xarray nor dask.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from icefront_dask.predict.options import Augmentation

    Forward = Callable[[NDArray[np.float32]], NDArray[np.float32]]

__all__ = ["Spread", "augmented", "over_members"]

_TURNS: dict[str, tuple[tuple[int, bool], ...]] = {
    "none": ((0, False),),
    "flips": ((0, False), (0, True), (2, False), (2, True)),
    "dihedral": tuple((turn, flip) for flip in (False, True) for turn in range(4)),
}


class Spread:
    """Mean of probabilities, and spread of the first of them, over members that are seen once (Welford 1962).

    Memory does not grow with the number of members. Arrays are (…, K, h, w) float32.
    """

    def __init__(self) -> None:
        self.count = 0
        self._layers: torch.Tensor | None = None

    def add(self, member: torch.Tensor) -> None:
        """Take a member in; it may be changed."""
        self.count += 1
        kinds = member.shape[-3]
        if self._layers is None:
            self._layers = _room((*member.shape[:-3], kinds + 1, *member.shape[-2:]), member.device)
            self._layers[..., :kinds, :, :] = member
            self._layers[..., kinds, :, :] = 0
            return
        mean, variance = self._layers[..., :kinds, :, :], self._layers[..., kinds, :, :]
        change = member.sub_(mean)
        first = change[..., 0, :, :]
        # The deviation from the new mean is (n - 1) / n of that from the old one.
        share = (self.count - 1) / self.count
        variance.mul_(share).addcmul_(first, first, value=share / self.count)
        mean.add_(change, alpha=1 / self.count)

    def layers(self) -> torch.Tensor:
        """Return the means and, as one layer more, the variance of the first: the memory that `add` works in."""
        if self._layers is None:
            raise ValueError("no member was added")
        return self._layers


def _room(shape: tuple[int, ...], device: torch.device) -> torch.Tensor:
    """Return memory that is not set; that of NumPy lies on large pages where there are any."""
    if device.type == "cpu":
        return torch.from_numpy(np.empty(shape, np.float32))
    return torch.empty(shape, dtype=torch.float32, device=device)


def over_members(
    networks: Sequence[Callable[[torch.Tensor], torch.Tensor]], augmentation: Augmentation = "none"
) -> Callable[[torch.Tensor], torch.Tensor]:
    """Return a forward function which averages probabilities over networks and turned and mirrored inputs.

    Parameters
    ----------
    networks : sequence of callable
        (N, C, h, w) float32 → (N, 2, h, w) float32 logits of ice and front, which may be changed.
    augmentation : {"none", "flips", "dihedral"}

    Returns
    -------
    callable
        (N, C, h, w) → (N, 3, h, w) float32, on the same device: means of P(ice) and P(front), variance of P(ice) over
        the members.
    """
    turns = _TURNS[augmentation]

    def forward(batch: torch.Tensor) -> torch.Tensor:
        spread = Spread()
        for network in networks:
            for turn, flip in turns:
                mirrored = batch.flip(3) if flip else batch
                answer = network(torch.rot90(mirrored, turn, (2, 3)) if turn else mirrored).sigmoid_()
                turned = torch.rot90(answer, -turn, (2, 3)) if turn else answer
                spread.add(turned.flip(3) if flip else turned)
        return spread.layers()

    return forward


def augmented(engines: Sequence[Forward], augmentation: Augmentation = "none") -> Forward:
    """Return `over_members` for engines, which take and give (N, …, h, w) float32 ndarrays."""
    members = over_members([_of_tensors(engine) for engine in engines], augmentation)

    def forward(batch: NDArray[np.float32]) -> NDArray[np.float32]:
        layers: NDArray[np.float32] = members(torch.from_numpy(np.ascontiguousarray(batch))).numpy()
        return layers

    return forward


def _of_tensors(engine: Forward) -> Callable[[torch.Tensor], torch.Tensor]:
    return lambda batch: torch.from_numpy(engine(batch.contiguous().numpy()))
