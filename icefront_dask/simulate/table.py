"""Ranges of the simulator, one documented table.

Backscatter is gamma0 in dB at 30-40 degrees incidence as (low, typical, high), reflectance is that of the
near infrared. These are working values of general knowledge in radar and optical glaciology, widened; they
were not measured by this project. They are meant to cover what occurs, not to be right for one place.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["OPTICAL", "OPTICAL_MIX", "SAR", "SAR_MIX", "Range"]


@dataclass(frozen=True)
class Range:
    """A range with a typical value.

    Attributes
    ----------
    low, typical, high : float
    """

    low: float
    typical: float
    high: float

    def at(self, share: float) -> float:
        """Value at a share of the range: 0 low, 0.5 typical, 1 high (piecewise linear)."""
        if share < 0.5:
            return self.low + (self.typical - self.low) * 2 * share
        return self.typical + (self.high - self.typical) * 2 * (share - 0.5)


SAR: dict[str, tuple[Range, Range]] = {
    # name: co-polarised, cross-polarised
    "crevassed": (Range(-13, -9, -4), Range(-20, -15, -10)),
    "smooth_ice": (Range(-18, -14, -10), Range(-26, -22, -17)),
    "frozen_firn": (Range(-8, -4, 0), Range(-15, -11, -7)),
    "dry_snow": (Range(-17, -12, -7), Range(-24, -19, -13)),
    "wet": (Range(-25, -19, -14), Range(-31, -27, -22)),
    "melange": (Range(-13, -9, -5), Range(-21, -16, -12)),
    "brash": (Range(-18, -13, -8), Range(-26, -20, -14)),
    "berg": (Range(-12, -6, 2), Range(-18, -12, -6)),
    "first_year_ice": (Range(-17, -14, -11), Range(-28, -25, -20)),
    "new_ice": (Range(-24, -21, -18), Range(-34, -30, -26)),
    "fast_ice": (Range(-20, -16, -13), Range(-29, -26, -22)),
    "calm_water": (Range(-27, -22, -16), Range(-34, -30, -25)),
}

SAR_MIX: dict[str, float] = {"melange": 0.35, "calm": 0.20, "windy": 0.15, "melt": 0.20, "sea_ice": 0.10}

OPTICAL: dict[str, Range] = {
    # near-infrared reflectance
    "clean_ice": Range(0.45, 0.62, 0.80),
    "dirty_ice": Range(0.20, 0.35, 0.45),
    "snow": Range(0.75, 0.88, 0.97),
    "melange": Range(0.45, 0.65, 0.90),
    "water": Range(0.01, 0.04, 0.08),
    "plume": Range(0.08, 0.14, 0.20),
    "thin_ice": Range(0.12, 0.30, 0.50),
    "rock": Range(0.05, 0.13, 0.30),
}

OPTICAL_MIX: dict[str, float] = {"melange": 0.45, "water": 0.33, "sea_ice": 0.22}

# The archive's scenes follow the season; the shares of a season sum to 1 and both together cover SAR_MIX and
# OPTICAL_MIX: melt and open water in summer, mélange and sea ice in winter.
SEASON_MIX: dict[str, dict[str, dict[str, float]]] = {
    "sar": {
        "summer": {"calm": 0.30, "windy": 0.20, "melt": 0.30, "melange": 0.20},
        "winter": {"melange": 0.60, "sea_ice": 0.25, "calm": 0.15},
    },
    "optical": {
        "summer": {"water": 0.55, "melange": 0.45},
        "winter": {"melange": 0.50, "sea_ice": 0.35, "water": 0.15},
    },
}

# Reflectance of a band relative to the near infrared: ice and snow, open water, rock, cloud. Snow and ice are
# bright in green and nearly black at 1.6 µm (Dozier 1989, https://doi.org/10.1016/0034-4257(89)90101-6);
# water darkens with wavelength; bare rock brightens; clouds stay bright.
LANDSAT_SPECTRUM: dict[str, tuple[float, float, float, float]] = {
    "green": (1.15, 1.8, 0.75, 1.05),
    "red": (1.10, 1.35, 0.85, 1.03),
    "nir08": (1.0, 1.0, 1.0, 1.0),
    "swir16": (0.12, 0.3, 1.15, 0.65),
}
