from __future__ import annotations

import numpy as np
import pytest
import torch

from icefront_dask.cube.quality import Quality
from icefront_dask.errors import ConfigError, ModelMismatchError
from icefront_dask.predict.bands import choose_bands
from icefront_dask.predict.context import coarse_factor, fjord_width_m
from icefront_dask.predict.members import augmented
from icefront_dask.predict.options import PredictOptions, resolve_options
from icefront_dask.predict.passes import run_pass
from icefront_dask.predict.scene import predict_scene
from icefront_dask.predict.torch_engine import TorchEngine
from tests.predict.networks import BrightIce, TinyUNet, bright_scene

PIXEL_M = 10.0


def _options(**changes: object) -> PredictOptions:
    return resolve_options(**{"engine": "torch-fp32", "tta": "none", **changes})


@pytest.fixture(scope="module")
def engine() -> TorchEngine:
    return TorchEngine(BrightIce(), "torch-fp32", threads=1)


def _crossing(ice: np.ndarray) -> np.ndarray:
    """Rows at which each column's P(ice) falls through 0.5, linear between the pixel centres."""
    below = np.argmax(ice < 0.5, axis=0)
    columns = np.arange(ice.shape[1])
    upper, lower = ice[below - 1, columns], ice[below, columns]
    return below - 0.5 + (upper - 0.5) / (upper - lower)


@pytest.mark.parametrize("passes", ["auto", "fine", "coarse-fine"])
@pytest.mark.parametrize("shape", [(200, 180), (650, 600)])
def test_the_line_is_where_it_was_put(engine: TorchEngine, passes: str, shape: tuple[int, int]) -> None:
    height, width = shape
    truth = 0.5 * height + 0.1 * (np.arange(width) + 0.5 - width / 2)
    result = predict_scene(
        {"hh": bright_scene(height, width, 0.5 * height, noise=1)},
        pixel_size_m=PIXEL_M,
        calibration="gamma0",
        network=engine,
        options=_options(passes=passes, band_m=300, band_coarse_px=4, tile_px=128),
    )
    ice, front = result
    assert ice.dtype == front.dtype == np.float32
    assert np.abs(_crossing(ice) - truth).mean() < 0.7
    assert np.abs(front.argmax(axis=0) + 0.5 - truth).mean() < 1.5
    assert (result.factor > 1) == (passes != "fine" and height > 600)


def test_the_fine_pass_stays_near_the_coarse_front(engine: TorchEngine) -> None:
    scene = {"hh": bright_scene(1200, 1000, 600, noise=1)}
    common = {"pixel_size_m": PIXEL_M, "calibration": "gamma0", "network": engine}
    options = {"band_m": 500.0, "band_coarse_px": 4, "tile_px": 128}
    whole = predict_scene(scene, **common, options=_options(passes="fine", **options))
    banded = predict_scene(scene, **common, options=_options(**options))
    assert banded.computed_pixels < 0.45 * whole.computed_pixels
    rows = np.abs(np.indices((1200, 1000))[0] + 0.5 - (600 + 0.1 * (np.arange(1000) + 0.5 - 500)))
    near = rows < 30
    np.testing.assert_allclose(banded.ice[near], whole.ice[near], atol=1e-6)
    np.testing.assert_allclose(banded.front[near], whole.front[near], atol=1e-6)
    assert np.isfinite(banded.disagreement[near]).all()
    assert np.isnan(banded.disagreement[rows > 120]).all()
    assert np.isfinite(banded.ice).all()
    assert (np.abs(np.diff(banded.ice, axis=0))[100:400] < 0.6).all()


def test_a_scene_without_a_coarse_front_is_predicted_finely_everywhere(engine: TorchEngine) -> None:
    grey = np.full((700, 600), 0.5, dtype=np.float32)
    grey += np.random.default_rng(0).normal(0, 0.01, grey.shape).astype(np.float32)

    class AllIce(BrightIce):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.cat([0 * x[:, :1] + 3, 0 * x[:, :1] - 3], dim=1)

    result = predict_scene(
        {"grey": grey},
        pixel_size_m=PIXEL_M,
        calibration="uncalibrated",
        network=TorchEngine(AllIce(), "torch-fp32"),
        options=_options(),
    )
    assert np.isfinite(result.disagreement).all()
    np.testing.assert_allclose(result.ice, 1 / (1 + np.exp(-3)), atol=1e-6)


def test_the_fjord_steers_the_fine_pass(engine: TorchEngine) -> None:
    scene = bright_scene(1024, 1024, 500)
    scene[:, 512:] = np.where(np.indices((1024, 512))[0] < 200, 0.1, 0.01)  # a coast outside the fjord
    fjord = np.zeros((1024, 1024), dtype=bool)
    fjord[:, 60:400] = True
    result = predict_scene(
        {"hh": scene},
        pixel_size_m=PIXEL_M,
        calibration="gamma0",
        network=engine,
        options=_options(band_m=200, band_coarse_px=4, tile_px=128),
        fjord_mask=fjord,
    )
    assert result.factor == 4
    assert np.isfinite(result.disagreement[480:490, 100:380]).all()
    assert np.isnan(result.disagreement[:, 560:]).all()
    assert np.isfinite(result.ice).all()


def test_invalid_pixels_are_nan_and_clouds_are_not(engine: TorchEngine) -> None:
    scene = bright_scene(120, 120, 60)
    scene[:10] = np.nan
    quality = np.zeros((120, 120), dtype=np.uint16)
    quality[20:30, :40] = Quality.SLC_GAP | Quality.FILLED
    quality[70:90] = Quality.CLOUD | Quality.SHADOW
    ice, front = predict_scene(
        {"hh": scene}, quality, pixel_size_m=30, calibration="gamma0", network=engine, options=_options()
    )
    expected = np.zeros((120, 120), dtype=bool)
    expected[:10] = True
    expected[20:30, :40] = True
    np.testing.assert_array_equal(np.isnan(ice), expected)
    np.testing.assert_array_equal(np.isnan(front), expected)


def test_a_blank_scene_never_reaches_the_network() -> None:
    class Refuses(BrightIce):
        armed = False

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            assert not self.armed, "called"
            return super().forward(x)

    engine = TorchEngine(Refuses(), "torch-fp32")
    Refuses.armed = True
    result = predict_scene(
        {"hh": np.full((50, 60), np.nan, dtype=np.float32)},
        pixel_size_m=10,
        calibration="gamma0",
        network=engine,
        options=_options(),
    )
    assert np.isnan(result.ice).all()
    assert result.computed_pixels == 0


def test_power_goes_through_decibels_and_grey_does_not(engine: TorchEngine) -> None:
    scene = bright_scene(100, 90, 50, noise=1)
    common = {"pixel_size_m": 20, "network": engine, "options": _options(passes="fine", levels=[1])}
    linear = predict_scene({"hh": scene}, calibration="gamma0", **common)
    decibel = predict_scene({"grey": 10 * np.log10(scene)}, calibration="uncalibrated", **common)
    np.testing.assert_allclose(linear.ice, decibel.ice, atol=1e-5)
    raw = predict_scene({"hh": scene}, calibration="uncalibrated", **common)
    assert np.abs(raw.ice - linear.ice).max() > 0.05


def test_cross_polarisation_at_the_floor_is_left_out(engine: TorchEngine) -> None:
    scene = bright_scene(64, 64, 30)
    common = {"pixel_size_m": 20, "calibration": "gamma0", "network": engine, "options": _options()}
    assert predict_scene({"hh": scene, "hv": scene / 5}, **common).cross
    assert not predict_scene({"hh": scene, "hv": scene / 5}, **common, cross=()).cross
    drowned = np.where(np.indices(scene.shape)[0] < 44, scene / 5, 10**-3.5).astype(np.float32)
    assert not predict_scene({"hh": scene, "hv": drowned}, **common).cross


@pytest.mark.parametrize(
    ("variables", "cross", "expected"),
    [
        (["hh", "hv"], True, ("hh", "hv")),
        (["hh", "hv"], False, ("hh", None)),
        (["vh", "vv"], True, ("vv", "vh")),
        (["hh", "vv", "vh"], True, ("hh", "vh")),
        (["red", "nir", "green"], True, ("nir", None)),
        (["pan"], True, ("pan", None)),
        (["grey"], True, ("grey", None)),
    ],
)
def test_bands(variables: list[str], cross: bool, expected: tuple[str, str | None]) -> None:
    assert choose_bands(variables, cross=("hv", "vh") if cross else ()) == expected


def test_no_primary_band() -> None:
    with pytest.raises(ModelMismatchError, match="the data has hv, thermal"):
        choose_bands(["thermal", "hv"])


def test_coarse_pixel_sizes() -> None:
    options = _options()
    fjord = np.zeros((400, 400), dtype=bool)
    fjord[:, 100:292] = True
    assert fjord_width_m(fjord, 20) == pytest.approx(192 * 20, rel=0.02)
    assert coarse_factor((400, 400), 20, options, fjord) == 2  # 3840 m / 96 = 40 m
    assert coarse_factor((400, 400), 20, options) == 1  # 8 km / 4 / 96 = 21 m
    assert coarse_factor((400, 400), 60, options, np.ones((400, 400), dtype=bool)) == 2  # at most 100 m
    assert coarse_factor((5000, 400), 60, options) == 10  # one tile of 512 px
    assert coarse_factor((30, 30), 200, options) == 1


@pytest.mark.parametrize("augmentation", ["flips", "dihedral"])
def test_augmentation_is_the_mean_over_the_group(augmentation: str) -> None:
    engine = TorchEngine(TinyUNet(), "torch-fp32", threads=1)
    batch = np.random.default_rng(5).normal(size=(2, 3, 16, 24)).astype(np.float32)
    forward = augmented([engine], augmentation)
    answer = forward(batch)
    np.testing.assert_allclose(forward(batch[..., ::-1]), answer[..., ::-1], atol=1e-6)
    np.testing.assert_allclose(forward(batch[..., ::-1, :]), answer[..., ::-1, :], atol=1e-6)
    turned = np.abs(forward(np.rot90(batch, axes=(2, 3))) - np.rot90(answer, axes=(2, 3))).max()
    assert (turned < 1e-6) == (augmentation == "dihedral")
    single = augmented([engine], "none")
    members = [single(batch), single(batch[..., ::-1])[..., ::-1]]
    members += [single(batch[..., ::-1, :])[..., ::-1, :], single(batch[..., ::-1, ::-1])[..., ::-1, ::-1]]
    if augmentation == "flips":
        np.testing.assert_allclose(answer[:, :2], np.mean(members, axis=0)[:, :2], atol=1e-6)
        np.testing.assert_allclose(answer[:, 2], np.var(members, axis=0)[:, 0], atol=1e-7)
        channels = np.concatenate([batch[:1, :2, :, :], np.ones((1, 1, 16, 24), np.float32)], axis=1)[0]
        spread = run_pass(channels, [engine], _options(tta="flips").settled(None)).ice_std
        parts = [single(channels[None, :, ::a, ::b])[0, 0, ::a, ::b] for a in (1, -1) for b in (1, -1)]
        np.testing.assert_allclose(spread, np.std(parts, axis=0), atol=5e-4)


def test_augmented_tiles_are_the_augmented_whole() -> None:
    engine = TorchEngine(TinyUNet(), "torch-fp32", threads=1)
    channels = np.random.default_rng(6).normal(size=(3, 150, 170)).astype(np.float32)
    whole = run_pass(channels, [engine], _options(tta="dihedral").settled(None))
    tiled = run_pass(channels, [engine], _options(tta="dihedral", tile_px=64).settled(None))
    np.testing.assert_allclose(tiled.ice, whole.ice, atol=1e-5)
    np.testing.assert_allclose(tiled.front, whole.front, atol=1e-5)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"window": "box"}, "hann, gaussian, mean"),
        ({"passes": "twice"}, "predict.passes"),
        ({"tta": "all"}, "none, flips, dihedral"),
        ({"tile_px": 0}, "predict.tile_px is 0"),
        ({"batch": True}, "predict.batch is True"),
        ({"halo_px": "wide"}, "predict.halo_px is 'wide'"),
        ({"coarse_weight": 2}, "between 0 and 1"),
        ({"levels": []}, "predict.levels"),
        ({"levels": [1, 1]}, "different whole numbers"),
        ({"levels": [1.5]}, "predict.levels is 1.5"),
        ({"extra": ["zone"]}, "no zone"),
        ({"engine": "tpu"}, "no engine 'tpu'"),
        ({"colour": 1}, "unknown key colour"),
    ],
)
def test_wrong_options(change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        resolve_options(**change)
