"""Every error that icefront_dask raises on purpose.

A message names the thing (item, file, key), says what is wrong with it and what to do. ``exit_status`` is what the
command line returns: 2 for a mistake in the call (usage), 1 for work that failed.
"""

from __future__ import annotations

__all__ = [
    "CatalogError",
    "ConfigError",
    "DependencyError",
    "GridError",
    "IcefrontError",
    "InputError",
    "MissingAssetError",
    "ModelMismatchError",
    "NoItemsError",
    "NotGeoreferencedError",
    "ReadError",
    "RegionError",
    "RunError",
    "StoreError",
    "WeightsError",
]


class IcefrontError(Exception):
    """Base of all errors of icefront_dask."""

    exit_status: int = 1


class ConfigError(IcefrontError):
    """A configuration, an option or an output folder does not fit (usage)."""

    exit_status = 2


class InputError(IcefrontError):
    """A file, array or table handed in by the user cannot be used (usage)."""

    exit_status = 2


class RegionError(InputError):
    """A region's name, outline, CRS or helper geometry is wrong."""


class CatalogError(IcefrontError):
    """A STAC API or catalogue file cannot be reached or read."""


class NoItemsError(IcefrontError):
    """A search, or the screening after it, left no item to work on."""


class MissingAssetError(IcefrontError):
    """An item lacks an asset that its collection promises."""


class NotGeoreferencedError(IcefrontError):
    """An item or raster has no CRS, or a geolocation that must not be trusted."""


class ReadError(IcefrontError):
    """Pixels could not be read: a corrupt, truncated, missing or refused file."""


class GridError(IcefrontError):
    """Data lies on another grid than the one that was asked for."""


class StoreError(IcefrontError):
    """A store or output folder holds something else than what would be written."""


class ModelMismatchError(InputError):
    """A model does not fit the bands, sensor or scaling of the data."""


class WeightsError(InputError):
    """A weights file is missing, of a refused kind, truncated or altered."""


class RunError(IcefrontError):
    """Units of a run failed; the others are done and kept."""


class DependencyError(IcefrontError):
    """An optional package or system program that this step needs is not installed."""
