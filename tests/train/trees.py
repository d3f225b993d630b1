"""Tiny data sets in the published layouts."""

import numpy as np

from tests.score.images import write_png

CAFFE = ("JAC_2015-06-17_TSX_7_1_092", "Crane_2011-11-13_TDX_7_1_092", "SI_2012-03-01_S1_20_3_010")
CALFIN = (
    "Helheim_LE07_L1TP_2003-07-01_233-013_T1_B4",
    "Kjer_LC08_L1TP_2015-07-01_016-006_T1_B5",
    "Sverdrup_LT05_L1TP_1995-07-01_020-007_T1_B4",
)
PAIRS = (
    "LC08_L1TP_231012_20150804_20170406_01_T1_B2",
    "LE07_L1TP_009011_20010804_20170406_01_T1_B2",
    "LT05_L1TP_022007_19950804_20170406_01_T1_B2",
)


def scene(number, shape):
    """Ice below a wavy line, ocean above, rock on the left, nothing in a corner; a speckled image of them."""
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    line = shape[0] // 2 + np.rint(3 * np.sin(cols / 9 + number)).astype(int)
    ice = rows >= line
    front = rows == line
    rock = cols < shape[1] // 10
    nothing = (rows < 6) & (cols > shape[1] - 6)
    noise = np.random.default_rng(number).normal(1, 0.1, shape)
    image = np.clip(np.where(rock, 90, np.where(ice, 180, 40)) * noise, 1, 255)
    return ice | rock, front & ~rock, rock, nothing, np.where(nothing, 0, image)


def caffe(folder, shape=(96, 80), names=CAFFE, split="train"):
    for number, name in enumerate(names):
        ice, front, rock, nothing, image = scene(number, shape)
        zones = np.where(ice, 127, 254)
        zones[rock], zones[nothing] = 64, 0
        write_png(folder / "data_raw" / "sar_images" / split / f"{name}.png", image)
        write_png(folder / "data_raw" / "zones" / split / f"{name}_zones.png", zones)
        write_png(folder / "data_raw" / "fronts" / split / f"{name}_front.png", 255 * front)
    return folder


def calfin(folder, shape=(260, 300), names=CALFIN):
    for number, name in enumerate(names):
        ice, *_, image = scene(number, shape)
        write_png(folder / f"{name}.png", image)
        write_png(folder / f"{name}_mask.png", 255 * ice)
    return folder


def pairs(folder, shape=(140, 110), names=PAIRS):
    for number, name in enumerate(names):
        _, front, _, _, image = scene(number, shape)
        write_png(folder / "images" / f"{name}_Subset.png", image)
        write_png(folder / "labels_1px" / f"{name}_Front.png", 255 * ~front)
    return folder
