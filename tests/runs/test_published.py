"""Networks of the papers with random weights, against windows, blending and scaling written out by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import shapely
import torch
from scipy.special import expit

from icefront_dask.errors import ModelMismatchError, WeightsError
from icefront_dask.fronts.status import Reason
from icefront_dask.models import registry
from icefront_dask.models.protocols import PROTOCOLS
from icefront_dask.models.weights import sha256_of, write_weights
from icefront_dask.runs.image_file import Image
from icefront_dask.runs.images import front_in
from icefront_dask.runs.published import Outputs, lines_of, published_front
from icefront_dask.train.config import read_train_config
from icefront_dask.train.preparation import preparation, unlabelled
from icefront_dask.train.ship import card_of
from icefront_dask.train.toning import enhance_edges, three_tones

PAPERS = Path(__file__).resolve().parents[2] / "configs" / "papers"
SMALL = {
    "caffe-zones": {"width": 2},
    "caffe-fronts": {"width": 2},
    "calfin": {"width": 0.02, "middle": 1},
    "mohajerani": {"width": 4},
    "hed-unet": {"width": 2},
    "baumhoer": {"width": 2},
}


def paper_model(folder, name, **changes):
    """Random weights of a small network with the card that its training would write; the network as well."""
    config = read_train_config(PAPERS / f"{name}.yaml")
    options = config.architecture_options | SMALL[name]
    config = config.model_copy(update={"architecture_options": options, "data": None} | changes)
    torch.manual_seed(5)
    network = registry.build(config.architecture, options)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.2)
            module.running_var.uniform_(0.5, 2)
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{config.name}.safetensors"
    write_weights(path, network.state_dict())
    card = card_of([config], sha256_of(path), config.name)
    path.with_suffix(".json").write_text(card.model_dump_json(), encoding="utf-8")
    return path, registry.load(str(path)).network


def says(network, window):
    """Probabilities (K, h, w) of one window (C, h, w)."""
    with torch.inference_mode():
        return expit(network(torch.from_numpy(np.ascontiguousarray(window, dtype=np.float32))[None])[0].numpy())


def grey(shape, seed=1):
    rows, cols = np.mgrid[0 : shape[0], 0 : shape[1]]
    wave = 120 + 60 * np.sin(rows / 17) * np.cos(cols / 23)
    return np.clip(wave + np.random.default_rng(seed).normal(0, 20, shape), 1, 255).round().astype(np.float32)


def caffe_by_hand(network, image, outputs):
    """CaFFe: zeros below and beside, windows of 256 every 128, Gaussian of 32 px, sigmoid."""
    height, width = image.shape
    tall, wide = (256 + -(-max(side - 256, 0) // 128) * 128 for side in (height, width))
    padded = np.zeros((tall, wide))
    padded[:height, :width] = image
    padded = (padded / 255 - 0.3047126829624176) / 0.32187142968177795
    at = np.arange(256) - 128
    weight = np.exp(-(at[:, None] ** 2 + at[None, :] ** 2) / (2 * 32.0**2))
    total, weights = np.zeros((outputs, tall, wide)), np.zeros((tall, wide))
    for row in range(0, tall - 255, 128):
        for col in range(0, wide - 255, 128):
            window = slice(row, row + 256), slice(col, col + 256)
            total[:, *window] += says(network, padded[window][None]) * weight
            weights[window] += weight
    return (total / weights)[:, :height, :width]


def test_caffe_zones(tmp_path):
    path, network = paper_model(tmp_path, "caffe-zones")
    image = grey((300, 270))
    found = published_front(Image(image[None]), str(path), pixel_size_m=20.0)
    expected = caffe_by_hand(network, image, 4)
    zone = expected.argmax(axis=0)
    sure = np.sort(expected, axis=0)[-1] - np.sort(expected, axis=0)[-2] > 1e-4
    assert sure.mean() > 0.9
    assert np.array_equal(found.outputs.zone[sure], zone[sure])
    ice = found.outputs.ice[sure]
    assert np.array_equal(np.isnan(ice), zone[sure] == 0)
    assert np.array_equal(ice[~np.isnan(ice)] == 1, np.isin(zone[sure][~np.isnan(ice)], (1, 2)))


def test_caffe_fronts(tmp_path):
    path, network = paper_model(tmp_path, "caffe-fronts")
    image = grey((270, 400))
    found = published_front(Image(image[None]), str(path), pixel_size_m=20.0)
    np.testing.assert_allclose(found.outputs.front, caffe_by_hand(network, image, 1)[0], atol=2e-5)
    assert found.outputs.ice is None


def test_calfin_on_its_canvas(tmp_path):
    path, network = paper_model(tmp_path, "calfin")
    image = grey((256, 256))
    found = published_front(Image(image[None]), str(path), pixel_size_m=30.0)
    tones = three_tones(image) / 127.5 - 1
    total, count = np.zeros((2, 256, 256)), np.zeros((256, 256))
    for row in (0, 16, 32):
        for col in (0, 16, 32):
            window = slice(row, row + 224), slice(col, col + 224)
            total[:, *window] += says(network, tones[:, *window])
            count[window] += 1
    edge, ice = total / count
    np.testing.assert_allclose(found.outputs.front, edge, atol=2e-5)
    np.testing.assert_allclose(found.outputs.ice, ice, atol=2e-5)


def test_calfin_shrinks_to_its_canvas_and_back(tmp_path):
    """A plane keeps its values when it is shrunk and enlarged again, but at the rim."""
    way = preparation("calfin")
    rows, cols = np.mgrid[0:400, 0:320]
    plane = (20 + 0.3 * rows + 0.2 * cols).astype(np.float32)
    small = way.prepare(unlabelled("a", plane[None])).image
    assert small.shape == (3, 256, 256)
    back = way.placed(small[:1], (400, 320))[0]
    np.testing.assert_allclose(back[4:-4, 4:-4], plane[4:-4, 4:-4], atol=0.05)


def test_mohajerani_sees_the_trimmed_image_at_once(tmp_path):
    path, network = paper_model(tmp_path, "mohajerani")
    image = grey((300, 200))
    found = published_front(Image(image[None]), str(path), pixel_size_m=30.0)
    window = np.full((240, 152), 255.0)
    window[:, 1:151] = enhance_edges(image)[30:270, 25:175]
    expected = says(network, window[None] / 255)[0][:, 1:151]
    np.testing.assert_allclose(found.outputs.front[30:270, 25:175], expected, atol=2e-5)
    rest = found.outputs.front.copy()
    rest[30:270, 25:175] = np.nan
    assert np.isnan(rest).all()
    x, y = np.asarray(found.line.coords).T
    assert (x.min(), x.max()) == (25.5, 174.5)
    assert y.min() >= 30
    assert y.max() <= 270


def test_hed_unet_takes_two_polarisations_in_db(tmp_path):
    path, network = paper_model(tmp_path, "hed-unet")
    power = 10 ** (np.stack([grey((100, 120), 2), grey((100, 120), 3)]) / 100 - 2.5).astype(np.float32)
    image = Image(power, ("hh", "hv"), "gamma0")
    found = published_front(image, str(path), pixel_size_m=40.0)
    window = np.full((2, 768, 768), -1.0)
    for number, floor in enumerate((-30, -35)):
        db = np.maximum(10 * np.log10(power[number]), floor)
        window[number, :100, :120] = np.clip(255 * (db - floor) / -floor, 0, 255) / 127 - 1
    ice, edge = says(network, window)[:, :100, :120]
    np.testing.assert_allclose(found.outputs.ice, ice, atol=2e-4)
    np.testing.assert_allclose(found.outputs.front, edge, atol=2e-4)
    assert found.channels == "hh+hv"
    with pytest.raises(ModelMismatchError, match=r"2 polarisation.*no described band"):
        published_front(Image(power), str(path), pixel_size_m=40.0)
    with pytest.raises(ModelMismatchError, match="image has hh"):
        published_front(Image(power[:1], ("hh",)), str(path), pixel_size_m=40.0)


def test_baumhoer_takes_decibels_their_ratio_and_the_elevation(tmp_path):
    """Windows of 784 every 580 px, of which the middle counts; 10 dB and 1 km are one."""
    path, network = paper_model(tmp_path, "baumhoer")
    shape = (40, 900)
    power = 10 ** (np.stack([grey(shape, 2), grey(shape, 3)]) / 100 - 2.5).astype(np.float32)
    height = grey(shape, 4)
    image = Image(np.stack([*power, height]), ("hh", "hv", "elevation"), "gamma0")
    found = published_front(image, str(path), pixel_size_m=40.0)
    db = [np.maximum(10 * np.log10(band), floor) for band, floor in zip(power, (-30, -35), strict=True)]
    ready = np.zeros((4, 784, 580 + 784), np.float32)
    ready[:, :40, :900] = np.stack([db[0] / 10, db[1] / 10, (db[0] - db[1]) / 10, height / 1000])
    first, second = (says(network, ready[:, :, left : left + 784])[0] for left in (0, 580))
    middle = (784 - 580) // 2 + 580  # from here on the second window's middle counts
    expected = np.concatenate([first[:40, :middle], second[:40, middle - 580 : 900 - 580]], axis=1)
    np.testing.assert_allclose(found.outputs.ice, expected, atol=2e-4)
    assert found.channels == "hh+hv"
    with pytest.raises(ModelMismatchError, match="takes the elevation as well"):
        published_front(Image(power, ("hh", "hv"), "gamma0"), str(path), pixel_size_m=40.0)


def test_the_card_chooses_the_way(tmp_path):
    path, _ = paper_model(tmp_path, "caffe-fronts")
    image = Image(grey((64, 64))[None])
    front = front_in(image, model=str(path), pixel_size_m=20.0)
    assert (front.model, front.channels) == ("caffe-fronts", "grey")
    assert front.status in {"accepted", "no_front"}
    card = path.with_suffix(".json")
    card.write_text(card.read_text().replace('"protocol":"caffe-fronts"', '"protocol":"tea-leaves"'))
    with pytest.raises(WeightsError, match=r"tea-leaves.*known: icefront, caffe-zones"):
        front_in(image, model=str(path))
    card.write_text(card.read_text().replace("tea-leaves", "caffe-zones"))
    with pytest.raises(WeightsError, match="outputs front, its protocol caffe-zones is for na"):
        front_in(image, model=str(path))


def half_plane(shape=(60, 80), row=30):
    return np.mgrid[0 : shape[0], 0 : shape[1]][0] >= row


def traced(name, ice=None, front=None, zone=None, pixel_size_m=20.0, box=None, fjord=None, look_again=None):
    outputs = Outputs(ice, front, zone)
    shape = next(layer.shape for layer in (ice, front, zone) if layer is not None)
    inside = np.ones(shape, bool) if fjord is None else fjord
    return lines_of(outputs, PROTOCOLS[name], inside, pixel_size_m, box, look_again)


def test_zones_make_the_pixels_of_the_front_in_the_box():
    zone = np.where(half_plane(), 2, 3).astype(np.uint8)
    lines, mask, reason = traced("caffe-zones", zone=zone, box=(0, 10, 60, 70))
    assert np.array_equal(np.argwhere(mask), [(29, col) for col in range(10, 70)])
    assert reason == Reason.NONE
    assert shapely.LineString(lines[0]).equals(shapely.LineString([(10.5, 29.5), (69.5, 29.5)]))
    lines, mask, reason = traced("caffe-zones", zone=zone, pixel_size_m=9.0)
    assert (lines, mask.any(), reason) == ([], False, Reason.NO_RIDGE)  # 80 px are less than 750 m


def test_fronts_are_thinned_and_short_pieces_dropped():
    front = np.zeros((60, 80), np.float32)
    front[28:33, 5:75] = 0.13
    front[50:53, 10:30] = 0.9
    lines, mask, _ = traced("caffe-fronts", front=front)
    assert len(lines) == 1
    assert set(np.argwhere(mask)[:, 0]) <= {29, 30, 31}
    assert mask.sum() >= 60
    assert not traced("caffe-fronts", front=np.where(front > 0.5, 0, front * 0.9).astype(np.float32))[0]


def test_area_ends_where_the_probability_is_half():
    ice = np.clip(0.5 + 0.1 * (np.mgrid[0:60, 0:80][0] - 30.3), 0, 1).astype(np.float32)
    (line,), mask, _ = traced("hed-unet", ice=ice)
    assert mask is None
    np.testing.assert_allclose(line[:, 1], 30.8, atol=0.01)


def test_the_path_of_least_cost_follows_the_ridge():
    cols = np.arange(120)
    ridge = np.rint(55 + 10 * np.sin(cols / 12)).astype(int)
    front = np.full((110, 120), 0.05, np.float32)
    front[ridge, cols] = 0.99
    (line,), _, _ = traced("mohajerani", front=front)
    inner = line[(line[:, 0] > 15) & (line[:, 0] < 105)]
    assert np.abs(inner[:, 1] - 0.5 - ridge[inner[:, 0].astype(int)]).max() <= 2
    assert line[0, 0] == 0.5
    assert line[-1, 0] == 119.5


def test_calfin_looks_again_where_it_found_an_edge():
    rows = np.mgrid[0:300, 0:300][0]
    ice, front = (rows > 150).astype(np.float32), (np.abs(rows - 150) <= 1).astype(np.float32)
    asked = []

    def look_again(r, c):
        asked.append((r, c))
        return ice[r, c], front[r, c]

    (line,), _, reason = traced("calfin", ice=ice, front=front, look_again=look_again)
    assert reason == Reason.NONE
    assert asked
    assert np.abs(line[:, 1] - 150.5).max() <= 1
