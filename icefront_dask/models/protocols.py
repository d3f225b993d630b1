"""How each published network is applied to an image: windows, blending, outputs and threshold.

A model's card names its protocol. What a paper leaves open is said here and is not verified.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from icefront_dask.errors import WeightsError

if TYPE_CHECKING:
    from icefront_dask.models.windows import Blend

__all__ = ["OWN", "PROTOCOLS", "Protocol", "protocol"]

OWN = "icefront"
"""The way of the shipped networks: tiles with a halo, a coarse and a fine pass, tracing by both outputs."""

Bands = Literal["first", "all", "radar"]
Lines = Literal["zones", "front", "calfin", "area", "least-cost"]


@dataclass(frozen=True)
class Protocol:
    """One paper's way from an image to a line.

    Attributes
    ----------
    task : str
        By which it is taught, of `icefront_dask.train.tasks`.
    preparation : str
        Of `icefront_dask.train.preparation`: the same as in training.
    bands : {"first", "all", "radar"}
        Of the file: the first, all, or the co- and the cross-polarised one in dB.
    outputs : tuple of str
        What the network's channels mean: ``ice`` (land or ice), ``front`` or ``edge``, or CaFFe's zones.
    lines : {"zones", "front", "calfin", "area", "least-cost"}
        How the line is taken from them, see `icefront_dask.runs.published`.
    window_px, step_px : int or None
        Side of a window and the way to the next; None: the whole image at once.
    blend : {"gaussian", "mean", "core"}
        See `icefront_dask.models.windows.window_weights`.
    threshold : float
        Of the probability that makes the line or the area.
    """

    task: str
    preparation: str
    bands: Bands
    outputs: tuple[str, ...]
    lines: Lines
    window_px: int | None = None
    step_px: int | None = None
    blend: Blend = "mean"
    threshold: float = 0.5


_ZONES = ("na", "rock", "glacier", "ocean")

PROTOCOLS: dict[str, Protocol] = {
    # Gourmelon et al. (2022), Earth Syst. Sci. Data 14, 4287; GlacierDL, whose blending is not published, alike.
    "caffe-zones": Protocol("zones", "caffe", "first", _ZONES, "zones", 256, 128, "gaussian"),
    "caffe-fronts": Protocol("front", "caffe", "first", ("front",), "front", 256, 128, "gaussian", 0.12),
    # Cheng et al. (2021), The Cryosphere 15, 1663: nine windows of a canvas of 256 px.
    "calfin": Protocol("edge-ice", "calfin", "all", ("edge", "ice"), "calfin", 224, 16, "mean", 0.33),
    # Heidler et al. (2022), IEEE TGRS 60; Baumhoer et al. (2023), Sci. Data 10, 138. Tiles of 768 px; their overlap
    # and blending are not published: half a tile and the mean are assumptions.
    "hed-unet": Protocol("area-edge", "hed-unet", "first", ("ice", "edge"), "area", 768, 384),
    "hed-unet-sar": Protocol("area-edge", "hed-unet-sar", "radar", ("ice", "edge"), "area", 768, 384),
    # Mohajerani et al. (2019), Remote Sens. 11, 74: the whole image, then a path of least cost from side to side.
    "mohajerani": Protocol("front", "mohajerani", "first", ("front",), "least-cost"),
    # Baumhoer et al. (2019), Remote Sens. 11, 2529: tiles of 780 px with 200 px of overlap, of which the middle counts
    # (unverified); 784 is the next multiple of the network's stride.
    "baumhoer": Protocol("area", "baumhoer", "radar", ("ice",), "area", 784, 580, "core"),
}


def protocol(name: str) -> Protocol:
    """Return a protocol by the name that a card gives.

    Raises
    ------
    WeightsError
        There is none of that name.
    """
    if name not in PROTOCOLS:
        raise WeightsError(f"a card names the protocol {name!r}; known: {', '.join((OWN, *PROTOCOLS))}")
    return PROTOCOLS[name]
