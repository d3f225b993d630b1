"""Names, cards and weights: what is refused, and that nothing is parsed before its digest is checked."""

import json
import pickle

import pytest
import torch
from safetensors.torch import save_file

from icefront_dask.errors import ModelMismatchError, WeightsError
from icefront_dask.models import registry
from icefront_dask.models.weights import read_weights, sha256_of, write_weights

OPTIONS = {"in_channels": 3, "out_channels": 2, "width": 2, "norm": "batch", "pooling": False, "dilations": [1, 2]}


@pytest.fixture
def weights(tmp_path):
    torch.manual_seed(0)
    network = registry.build("unet_aspp", OPTIONS)
    path = tmp_path / "tiny.safetensors"
    write_weights(path, network.state_dict())
    shipped = json.loads((registry.PACKAGED / "icefront-5.json").read_text())
    shipped |= {"name": "tiny", "sha256": sha256_of(path), "architecture_options": OPTIONS, "guided": False}
    path.with_suffix(".json").write_text(json.dumps(shipped))
    return path


def test_load_by_path(weights):
    model = registry.load(str(weights))
    assert not model.network.training
    assert model.sha256 == sha256_of(weights)
    assert registry.fingerprint(str(weights)) == (str(weights), model.sha256)


def test_weights_survive_in_half_precision(weights):
    torch.manual_seed(0)
    wanted = registry.build("unet_aspp", OPTIONS).state_dict()
    found = read_weights(weights)
    assert wanted.keys() == found.keys()
    for key, value in wanted.items():
        assert torch.allclose(found[key].float(), value.float(), atol=1e-3)


def test_altered_weights_are_refused_before_parsing(weights, monkeypatch):
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.setattr("icefront_dask.models.weights.load", lambda _: pytest.fail("parsed before the check"))
    with pytest.raises(WeightsError, match="SHA-256"):
        registry.load(str(weights))


def test_truncated_weights_are_refused(weights):
    weights.write_bytes(weights.read_bytes()[:100])
    with pytest.raises(WeightsError, match="not a whole safetensors file"):
        read_weights(weights)


def test_a_pickle_is_refused_unread(tmp_path):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled",))

    path = tmp_path / "bomb.pt"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(WeightsError, match=r"only \.safetensors"):
        registry.load(str(path))


def test_weights_for_another_width_are_refused(weights):
    card = json.loads(weights.with_suffix(".json").read_text())
    card["architecture_options"]["width"] = 4
    weights.with_suffix(".json").write_text(json.dumps(card))
    with pytest.raises(WeightsError, match="do not fit"):
        registry.load(str(weights))


def test_missing_things_say_what_there_is(weights):
    with pytest.raises(WeightsError, match="icefront-5"):
        registry.load("nonesuch")
    weights.with_suffix(".json").unlink()
    with pytest.raises(WeightsError, match=r"no card tiny\.json"):
        registry.load(str(weights))
    with pytest.raises(WeightsError, match="unet_aspp"):
        registry.build("nonesuch", {})


@pytest.mark.parametrize("variables", [["hh"], ["vv", "vh"], ["nir", "green"], ["grey"]])
def test_choice_by_variables(variables):
    assert registry.choose(variables) in registry.names()


def test_no_model_for_other_variables():
    with pytest.raises(ModelMismatchError, match="thermal"):
        registry.choose(["thermal"])


def test_shipped_weights_fit_their_cards():
    for name in registry.names():
        card = registry.card(name)
        path = registry.PACKAGED / f"{name}.safetensors"
        assert path.stat().st_size <= 16 * 2**20
        assert sha256_of(path) == card.sha256
        model = registry.load(name)
        assert card.stride == model.network.stride
        assert card.receptive_radius == model.network.receptive_radius
        assert card.shift_equivariant == model.network.shift_equivariant


def test_values_beyond_half_precision_are_kept_whole(tmp_path):
    path = tmp_path / "w.safetensors"
    state = {"var": torch.tensor([1.0, 1e5]), "weight": torch.tensor([0.1]), "count": torch.tensor(3)}
    write_weights(path, state)
    found = read_weights(path)
    assert torch.equal(found["var"], state["var"])
    assert found["weight"] == pytest.approx(0.1, rel=1e-3)
    assert found["weight"] != state["weight"]  # in half precision
    assert torch.equal(found["count"], state["count"])


def test_values_that_are_not_finite_are_refused(tmp_path):
    path = tmp_path / "w.safetensors"
    with pytest.raises(WeightsError, match=r"up\.bias has values that are not finite"):
        write_weights(path, {"up.bias": torch.tensor([0.0, torch.nan])})
    assert not path.exists()
    save_file({"up.bias": torch.tensor([0.0, torch.inf])}, path)
    with pytest.raises(WeightsError, match=r"w\.safetensors: up\.bias has values that are not finite"):
        read_weights(path)


def test_options_that_an_architecture_does_not_take_are_named():
    with pytest.raises(WeightsError, match=r"'unet_aspp' with .*unexpected keyword argument 'widht' .*width"):
        registry.build("unet_aspp", {"widht": 2})
    with pytest.raises(WeightsError, match="'mohajerani_unet' with"):
        registry.build("mohajerani_unet", {"width": "broad"})


def test_an_architecture_of_another_package(tmp_path, monkeypatch):
    """A distribution that names an entry point is all that it takes."""
    (tmp_path / "glacier_nets.py").write_text(
        "import torch\n\n\n"
        "class Thin(torch.nn.Module):\n"
        "    stride, receptive_radius, shift_equivariant = 1, 1, True\n\n"
        "    def __init__(self, in_channels=3, out_channels=2):\n"
        "        super().__init__()\n"
        "        self.only = torch.nn.Conv2d(in_channels, out_channels, 3, padding=1)\n\n"
        "    def forward(self, x):\n"
        "        return self.only(x)\n"
    )
    info = tmp_path / "glacier_nets-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: glacier-nets\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[icefront_dask.models]\nthin = glacier_nets:Thin\n")
    monkeypatch.syspath_prepend(tmp_path)
    network = registry.build("thin", {"out_channels": 2})
    write_weights(tmp_path / "thin.safetensors", network.state_dict())
    card = json.loads((registry.PACKAGED / "icefront-5.json").read_text())
    card |= {
        "name": "thin", "architecture": "thin", "architecture_options": {"out_channels": 2}, "guided": False,
        "sha256": sha256_of(tmp_path / "thin.safetensors"),
    }  # fmt: skip
    (tmp_path / "thin.json").write_text(json.dumps(card))
    assert type(registry.load(str(tmp_path / "thin.safetensors")).network).__name__ == "Thin"


def test_weights_for_one_kind_of_sensor_are_chosen_for_scenes_that_are_known_to_be_of_it(weights, monkeypatch):
    card = json.loads(weights.with_suffix(".json").read_text())
    for kind in ("optical", "radar"):
        name = f"for-{kind}"
        weights.with_name(f"{name}.safetensors").write_bytes(weights.read_bytes())
        weights.with_name(f"{name}.json").write_text(json.dumps(card | {"name": name, "kind": kind}))
    models = {"folders": [str(weights.parent)], "order": ["for-optical", "for-radar", "tiny"]}
    monkeypatch.setattr(registry, "section", lambda _: models)
    assert registry.choose(["nir"], "reflectance") == "for-optical"
    assert registry.choose(["hh"], "gamma0") == "for-radar"
    assert registry.choose(["hh"], kind="optical") == "for-radar"  # what the bands say goes first
    assert registry.choose(["grey"]) == "tiny"
    assert registry.choose(["grey"], kind="optical") == "for-optical"
    models["order"] = ["for-optical"]
    with pytest.raises(ModelMismatchError, match=r"for-optical needs one of .*, of optical scenes"):
        registry.choose(["hh"], "gamma0")
