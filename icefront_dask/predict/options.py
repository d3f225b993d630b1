"""The settings of a prediction, checked and frozen."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

from icefront_dask.config import section
from icefront_dask.errors import ConfigError
from icefront_dask.models import registry
from icefront_dask.predict.blend import Window
from icefront_dask.predict.engine import resolve_engine
from icefront_dask.predict.published import PublishedWindow

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

__all__ = ["EXTRA_LAYERS", "Augmentation", "Passes", "PredictOptions", "resolve_options"]

Passes = Literal["auto", "fine", "coarse-fine"]
Augmentation = Literal["none", "flips", "dihedral"]
EXTRA_LAYERS = ("ice_std", "disagreement")

_CHOICES: dict[str, tuple[str, ...]] = {
    "window": get_args(Window),
    "passes": get_args(Passes),
    "tta": get_args(Augmentation),
}
_AUTO = ("halo_px", "threads", "tile_px", "overlap_px", "window")
_COUNTS = ("tile_px", "batch", "one_tile_px", "block_px", "halo_px", "threads")
_COUNTS_OR_0 = ("overlap_px", "margin_px", "dropout_members")
_TILE_PX = 2304
_COARSEST = 8
_LENGTHS = ("coarse_px_per_fjord", "coarse_max_pixel_m")
_LENGTHS_OR_0 = ("band_m", "band_coarse_px")
_SHARES = ("band_front", "coarse_weight", "cross_floor_share")


@dataclass(frozen=True)
class PredictOptions:
    """Section ``predict`` of the configuration, resolved: every key is explained in ``icefront.yaml``.

    None stands for ``auto``: ``halo_px`` is what makes aligned tiles exact, ``threads`` those of the Dask worker, or
    PyTorch's own number outside one; `settled` gives values to ``tile_px``, ``overlap_px`` and ``window``.
    """

    engine: str
    threads: int | None
    tile_px: int | None
    halo_px: int | None
    overlap_px: int | None
    margin_px: int
    window: Window | None
    batch: int
    block_px: int
    passes: Passes
    one_tile_px: int
    coarse_px_per_fjord: float
    coarse_max_pixel_m: float
    band_m: float
    band_coarse_px: float
    band_front: float
    coarse_weight: float
    cross_floor_share: float
    tta: Augmentation
    levels: tuple[int, ...]
    members: tuple[str, ...]
    dropout_members: int
    extra: tuple[str, ...]
    windows: bool = False

    def __post_init__(self) -> None:
        self._check_numbers()
        for key, allowed in _CHOICES.items():
            if getattr(self, key) not in allowed and not (key in _AUTO and getattr(self, key) is None):
                raise ConfigError(f"no {getattr(self, key)!r} for predict.{key}; there are: {', '.join(allowed)}")
        if unknown := sorted(set(self.extra) - set(EXTRA_LAYERS)):
            raise ConfigError(f"no {', '.join(unknown)} for predict.extra; there are: {', '.join(EXTRA_LAYERS)}")
        if self.block_px < self.one_tile_px:
            raise ConfigError(
                f"predict.block_px is {self.block_px}; it must not be below predict.one_tile_px, {self.one_tile_px}"
            )

    def settled(self, published: PublishedWindow | None) -> PredictOptions:
        """Return the options for a network: tiles with a halo, or windows as published, of native pixels.

        Parameters
        ----------
        published : PublishedWindow or None
            Of a network that is not shift-equivariant; None for one that is.
        """
        own = PublishedWindow(_TILE_PX, 0, "hann") if published is None else published
        return dataclasses.replace(
            self,
            tile_px=own.window_px if self.tile_px is None else self.tile_px,
            overlap_px=own.overlap_px if self.overlap_px is None else self.overlap_px,
            window=own.blend if self.window is None else self.window,
            passes="fine" if published is not None and self.passes == "auto" else self.passes,
            levels=self.levels if published is None else (1,),
            windows=published is not None,
        )

    def _check_numbers(self) -> None:
        for key in (*_COUNTS, *_COUNTS_OR_0):
            _check_number(key, getattr(self, key), zero=key in _COUNTS_OR_0, whole=True)
        for key in (*_LENGTHS, *_LENGTHS_OR_0):
            _check_number(key, getattr(self, key), zero=key in _LENGTHS_OR_0)
        for key in _SHARES:
            if not 0 <= getattr(self, key) <= 1:
                raise ConfigError(f"predict.{key} is {getattr(self, key)!r}; it must lie between 0 and 1")
        for level in self.levels:
            _check_number("levels", level, zero=False, whole=True)
        if not self.levels or len(set(self.levels)) < len(self.levels) or max(self.levels) > _COARSEST:
            raise ConfigError(
                f"predict.levels is {list(self.levels)}; it needs different whole numbers from 1 to {_COARSEST}, such "
                "as [1, 2]"
            )


def _check_number(key: str, value: Any, *, zero: bool, whole: bool = False) -> None:
    if value is None and key in _AUTO:
        return
    right = isinstance(value, int if whole else (int, float)) and not isinstance(value, bool)
    if not right or value < 0 or (value == 0 and not zero):
        kind = "a whole number" if whole else "a number"
        raise ConfigError(f"predict.{key} is {value!r}; it must be {kind} {'≥' if zero else '>'} 0")


def resolve_options(
    settings: Mapping[str, Any] | None = None, *, models: Collection[str] = (), **overrides: Any
) -> PredictOptions:
    """Return the settings of a prediction, with ``engine: auto`` resolved for this machine and these models.

    Parameters
    ----------
    settings : mapping, optional
        Resolved section ``predict`` of a run's specification; by default that of the configuration.
    models : collection of str
        Names of the models which are to run: besides fp32, ``auto`` takes what the cards of all of them and of the
        ``members`` allow. Without one it stays with fp32.
    **overrides
        Values that replace single settings.

    Raises
    ------
    ConfigError
        For an unknown key or a value outside its range.
    DependencyError
        For an engine which this machine cannot run.
    """
    values = section("predict", **{**(settings or {}), **overrides})
    for key in _AUTO:
        if values[key] == "auto":
            values[key] = None
    for key in ("levels", "extra", "members"):
        entry = values[key]
        values[key] = tuple(entry) if isinstance(entry, (list, tuple)) else (entry,)
    allowed = [set(registry.card(name).precisions) for name in (*models, *values["members"])] if models else []
    values["engine"] = resolve_engine(values["engine"], set.intersection(*allowed) if allowed else ("fp32",))
    names = [field.name for field in dataclasses.fields(PredictOptions) if field.name in values]
    return PredictOptions(**{name: values[name] for name in names})
