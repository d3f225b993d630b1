"""How good fronts are: the published distances exactly, data sets with known fronts, and tables of scores."""

from __future__ import annotations

from icefront_dask.score.dataset import Dataset, Sample
from icefront_dask.score.distances import (
    cut_walls,
    directed,
    index_matched,
    index_matched_mean,
    line_pixels,
    mde,
    mean_distance,
    median_distance,
    pixel_path,
    symmetric,
)
from icefront_dask.score.layouts import LAYOUTS, read_dataset, unlabelled_images
from icefront_dask.score.lines import read_line, write_line
from icefront_dask.score.simulated import demo_scores, match_scenes
from icefront_dask.score.table import Scores, score_lines

__all__ = [
    "LAYOUTS",
    "Dataset",
    "Sample",
    "Scores",
    "cut_walls",
    "demo_scores",
    "directed",
    "index_matched",
    "index_matched_mean",
    "line_pixels",
    "match_scenes",
    "mde",
    "mean_distance",
    "median_distance",
    "pixel_path",
    "read_dataset",
    "read_line",
    "score_lines",
    "symmetric",
    "unlabelled_images",
    "write_line",
]
