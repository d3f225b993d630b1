"""The U-Net with ASPP: published sizes, receptive field, shift equivariance."""

import pytest
import torch

from icefront_dask.models.unet_aspp import UNetASPP

SHIPPED = {"in_channels": 3, "out_channels": 2, "width": 16, "norm": "batch", "pooling": False}
FOLDED = {"width": 32, "depth": 4, "fold": 2}


def count(network: torch.nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


@pytest.mark.parametrize(("classes", "published"), [(4, 19_307_012), (1, 19_306_913)])
def test_size_is_that_of_the_published_network(classes, published):
    assert count(UNetASPP(1, classes)) == published


@pytest.mark.parametrize("norm", ["batch", "group", "none"])
@pytest.mark.parametrize("pooling", [True, False])
def test_output_has_the_size_of_the_input(norm, pooling):
    network = UNetASPP(2, 3, width=4, norm=norm, pooling=pooling).eval()
    assert network(torch.zeros(1, 2, 48, 64)).shape == (1, 3, 48, 64)


def test_a_folded_network_has_the_stride_of_a_plain_one_with_a_level_more():
    plain, folded = UNetASPP(**SHIPPED), UNetASPP(**{**SHIPPED, **FOLDED})
    assert folded.stride == plain.stride == 16
    assert abs(folded.receptive_radius - plain.receptive_radius) <= 16
    assert folded(torch.zeros(1, 3, 48, 64)).shape == (1, 2, 48, 64)
    with pytest.raises(RuntimeError):
        folded(torch.zeros(1, 3, 48, 63))


@pytest.mark.parametrize("shape", [{"width": 2}, {"width": 4, "depth": 4, "fold": 2}, {"width": 4, "depth": 3}])
def test_nothing_beyond_the_stated_radius_changes_a_pixel(shape):
    torch.manual_seed(0)
    network = UNetASPP(1, 1, norm="none", pooling=False, dilations=(1, 2), **shape).double().eval()
    radius = network.receptive_radius
    side = 2 * radius + 64
    x = torch.rand(1, 1, side, side, dtype=torch.float64, requires_grad=True)
    centre = side // 2
    network(x)[0, 0, centre, centre].backward()
    touched = torch.nonzero(x.grad[0, 0])
    reach = (touched - centre).abs().max().item()
    assert reach <= radius
    assert reach > 0.6 * radius


@pytest.mark.parametrize(
    ("options", "equivariant"),
    [({}, True), ({"width": 4, "depth": 4, "fold": 2}, True), ({"norm": "group"}, False), ({"pooling": True}, False)],
)
def test_shift_equivariance_is_as_stated(options, equivariant):
    torch.manual_seed(1)
    network = UNetASPP(**{**SHIPPED, "width": 2, "dilations": (1,), **options}).double().eval()
    with torch.no_grad():
        for module in network.modules():
            if isinstance(module, torch.nn.Conv2d | torch.nn.ConvTranspose2d):
                torch.nn.init.kaiming_normal_(module.weight)  # so that the bottleneck is heard at the output
            if isinstance(module, torch.nn.BatchNorm2d):
                module.running_mean.uniform_(-1, 1)
                module.running_var.uniform_(0.5, 2)
    assert network.shift_equivariant is equivariant
    halo = network.receptive_radius
    x = torch.randn(1, 3, 2 * halo + 64, 2 * halo + 96, dtype=torch.float64)
    x[:, :, :16] += 30  # what a statistic over the image would notice
    with torch.inference_mode():
        whole = network(x)
        part = network(x[:, :, 16:, 32:])
    difference = (whole[:, :, halo + 16 : -halo, halo + 32 : -halo] - part[:, :, halo:-halo, halo:-halo]).abs().max()
    assert (difference.item() < 1e-7) is equivariant


def test_side_heads_change_nothing_but_the_training():
    torch.manual_seed(4)
    deep = UNetASPP(**{**SHIPPED, "width": 4}, deep_supervision=True).eval()
    plain = UNetASPP(**{**SHIPPED, "width": 4}).eval()
    plain.load_state_dict({key: value for key, value in deep.state_dict().items() if not key.startswith("sides.")})
    x = torch.randn(2, 3, 64, 96)
    with torch.inference_mode():
        full, *sides = deep.levels(x)
        assert torch.equal(full, plain(x))
        assert torch.equal(full, deep(x))
        assert len(plain.levels(x)) == 1
    assert [tuple(side.shape) for side in sides] == [(2, 2, 4, 6), (2, 2, 8, 12), (2, 2, 16, 24)]
    folded = UNetASPP(**{**SHIPPED, **FOLDED}, deep_supervision=True).eval()
    assert [side.shape for side in folded.levels(x)[1:]] == [side.shape for side in sides]
