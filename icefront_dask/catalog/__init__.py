"""What scenes there are: ``search`` finds items, ``screen`` leaves out the unusable and says why."""

from __future__ import annotations

from icefront_dask.catalog.finding import search
from icefront_dask.catalog.items import Items
from icefront_dask.catalog.screening import screen
from icefront_dask.catalog.sign import Signer, signed

__all__ = ["Items", "Signer", "screen", "search", "signed"]
