"""Images on disk for the tests of the layouts."""

import warnings

import numpy as np
import rasterio
from rasterio.errors import NotGeoreferencedWarning


def write_png(path, grey):
    profile = {"driver": "PNG", "height": grey.shape[0], "width": grey.shape[1], "count": 1, "dtype": "uint8"}
    path.parent.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with rasterio.open(path, "w", **profile) as target:
            target.write(np.asarray(grey, np.uint8), 1)
