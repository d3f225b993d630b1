"""What scenes there are: ``search`` finds items, ``screen`` leaves out the unusable and says why."""

from __future__ import annotations

from icefront_dask.catalog.items import Items
from icefront_dask.catalog.screen import screen
from icefront_dask.catalog.search import search
from icefront_dask.catalog.sign import Signer, signed

__all__ = ["Items", "Signer", "screen", "search", "signed"]
