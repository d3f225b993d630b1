"""The window, overlap and blending with which networks that are not shift-equivariant were published."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from icefront_dask.predict.blend import Window

__all__ = ["PublishedWindow", "published_window"]


class PublishedWindow(NamedTuple):
    """How a network was shown a scene."""

    window_px: int
    overlap_px: int
    blend: Window


_WINDOWS = {
    # Patches of 256 px, the next one 128 px further, Gaussian weights of a standard deviation of an eighth of a
    # patch: Gourmelon et al. 2022, doi:10.5194/essd-14-4287-2022.
    "unet_aspp": PublishedWindow(256, 128, "gaussian"),
    # Tiles of 768 px: Heidler et al. 2021, doi:10.1109/TGRS.2021.3064606. Half of a tile overlaps here.
    "hed_unet": PublishedWindow(768, 384, "hann"),
}
_OTHER = PublishedWindow(256, 128, "hann")


def published_window(architecture: str) -> PublishedWindow:
    """Return the window of an architecture, 256 px overlapping by half where none was published."""
    return _WINDOWS.get(architecture, _OTHER)
