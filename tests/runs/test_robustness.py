"""Changed images: lines come back to where they were, and the table says what it should."""

import json

import numpy as np
import pytest
import shapely
import torch

from icefront_dask.errors import ConfigError, InputError
from icefront_dask.models import registry
from icefront_dask.models.weights import sha256_of, write_weights
from icefront_dask.runs.image_file import read_image
from icefront_dask.runs.images import front_in
from icefront_dask.runs.robustness import changed_front, robustness
from icefront_dask.score import read_dataset
from icefront_dask.score.perturb import PERTURBATIONS, resampled
from tests.runs import tiny
from tests.score.images import write_png
from tests.train import trees


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return trees.pairs(tmp_path_factory.mktemp("pairs"))


@pytest.fixture(scope="module")
def by_brightness(tmp_path_factory):
    """A network whose ice output is the brightness of each pixel by itself, applied by the protocol of HED-UNet."""
    options = {"in_channels": 1, "out_channels": 2, "width": 2, "pooling": False, "dropout": 0.0}
    network = registry.build("unet_aspp", options)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.zero_()
        for module in network.modules():
            if isinstance(module, torch.nn.BatchNorm2d):
                module.weight.fill_(1)
        for block in (network.down[0], network.up[-1]):
            for convolution in (block[0], block[3]):
                convolution.weight[0, 0, 1, 1] = 1
        network.down[0][0].bias[0] = 4  # above 0 all the way, where activations change nothing
        network.head.weight[0, 0] = 16
        network.head.bias[0] = -64 + 0.0625  # no pixel lies on the threshold itself
    folder = tmp_path_factory.mktemp("brightness")
    path = folder / "bright.safetensors"
    write_weights(path, network.state_dict())
    card = tiny.tiny_model(folder, "tiny").with_suffix(".json")
    content = json.loads(card.read_text()) | {
        "name": "bright", "sha256": sha256_of(path), "architecture_options": options, "outputs": ["ice", "edge"],
        "protocol": "hed-unet",
    }  # fmt: skip
    path.with_suffix(".json").write_text(json.dumps(content))
    return str(path)


@pytest.mark.parametrize(("degrees", "scale"), [(0.0, 1.0), (90.0, 1.0), (37.0, 1.0), (0.0, 1.7), (0.0, 0.6)])
def test_a_line_comes_back_to_the_pixels_of_the_image(tmp_path, by_brightness, degrees, scale):
    rows, cols = np.mgrid[0:90, 0:120]
    level = 10 * (rows - 45 - 12 * np.sin(cols / 20))
    write_png(tmp_path / "images" / "LC08_L1TP_009011_a_Subset.png", np.clip(127 + level, 1, 255))
    write_png(tmp_path / "labels_1px" / "LC08_L1TP_009011_a_Front.png", np.where(np.abs(level) < 6, 0, 255))
    (sample,) = read_dataset(tmp_path, "pairs")
    image = read_image(sample.image)
    plain = front_in(image, model=by_brightness, pixel_size_m=30.0)
    found = changed_front(sample, image, resampled(image.data, degrees, scale), by_brightness, 30.0)
    expected = shapely.LineString(np.column_stack([cols[0] + 0.5, 45.5 + 12 * np.sin(cols[0] / 20)]))
    assert shapely.hausdorff_distance(plain.line, expected) < 0.7
    inner = shapely.box(4, 4, 116, 86)
    assert shapely.hausdorff_distance(found.line & inner, plain.line & inner) < 1.2


def test_the_table_compares_with_the_images_as_they_are(data, model):
    stages = []
    table, scores = robustness(
        data, "pairs", model=str(model), only=["dark-water", "stripes"], report=lambda *stage: stages.append(stage)
    )
    assert list(table["change"]) == ["plain", "dark-water", "stripes"]
    assert list(table["images"]) == [3, 3, 3]
    assert np.isnan(table["ratio"].iloc[0])
    assert list(table["bound"].iloc[1:]) == [PERTURBATIONS[name].bound for name in ("dark-water", "stripes")]
    assert stages[-1] == ("images", 3, 3)
    for row in table.iloc[1:].itertuples():
        found, plain = (scores[name].images.set_index("name") for name in (row.change, "plain"))
        both = found.index[found["predicted"] & plain["predicted"]]
        expected = found.loc[both, "mean_px"].mean() / plain.loc[both, "mean_px"].mean() if len(both) else np.nan
        assert row.ratio == pytest.approx(expected, nan_ok=True)
        lost = (~found["predicted"]).sum() > (~plain["predicted"]).sum()
        assert row.holds == (row.ratio <= row.bound and not lost)


def test_what_cannot_be_compared_is_refused(data, model, tmp_path):
    with pytest.raises(ConfigError, match="no change 'rain'; known: dark-water"):
        robustness(data, "pairs", model=str(model), only=["rain"])
    trees.pairs(tmp_path / "bare")
    for label in (tmp_path / "bare" / "labels_1px").iterdir():
        label.unlink()
    with pytest.raises(InputError, match="no image has a label"):
        robustness(tmp_path / "bare", "pairs", model=str(model))
