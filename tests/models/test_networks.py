"""Every network of the registry: its size, its shapes, how far it looks, and whether a shift moves its answer."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from icefront_dask.models.baumhoer import BaumhoerUNet
from icefront_dask.models.calfin import CalfinNet
from icefront_dask.models.hed_unet import HEDUNet
from icefront_dask.models.mohajerani import MohajeraniUNet
from icefront_dask.models.unet_aspp import UNetASPP

SMALL = {
    "calfin": lambda: CalfinNet(2, width=1 / 64, middle=1),
    "hed_unet": lambda: HEDUNet(2, width=2, depth=3),
    "mohajerani": lambda: MohajeraniUNet(2, width=2),
    "baumhoer": lambda: BaumhoerUNet(2, width=2),
    "unet_aspp": lambda: UNetASPP(2, 2, width=2, dilations=(1, 2), pooling=False),
}


def count(network: nn.Module) -> int:
    return sum(p.numel() for p in network.parameters())


def awake(network: nn.Module) -> nn.Module:
    """Without dead ends at a ReLU and with weights that let the deepest layer be heard."""
    torch.manual_seed(5)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d):
            nn.init.uniform_(module.weight, 0.2, 1.0)
            module.weight.data /= module.weight.data[0].numel()
            if module.bias is not None:
                nn.init.constant_(module.bias, 0.1)
        if isinstance(module, nn.BatchNorm2d):
            module.running_var.fill_(1.0)
        if isinstance(module, nn.Dropout):
            module.p = 0.0
    return network.double().eval()


@pytest.mark.parametrize(("bands", "published"), [(1, 8_130_552), (2, 8_130_568), (3, 8_130_584)])
def test_hed_unet_has_the_published_size(bands, published):
    assert count(HEDUNet(bands)) == published


def separable(inputs, outputs):
    return 9 * inputs + 2 * inputs + inputs * outputs + 2 * outputs


def test_calfin_has_the_size_that_its_description_gives():
    blocks = [(3, 128, 128, 128), (128, 256, 256, 256), (256, 728, 728, 728)]
    total = sum(sum(separable(i, o) for i, o in pairwise(b)) + b[0] * b[3] + 2 * b[3] for b in blocks)
    total += 8 * 3 * separable(728, 728)
    total += separable(728, 728) + separable(728, 1024) + separable(1024, 1024) + 728 * 1024 + 2 * 1024
    total += separable(1024, 1536) + separable(1536, 1536) + separable(1536, 2048)
    total += 2 * (2048 * 256 + 512) + 5 * separable(2048, 256) + 7 * 256 * 256 + 512
    total += 728 * 48 + 96 + separable(256 + 48, 256) + separable(256, 256) + 256 * 2 + 2
    assert count(CalfinNet()) == total == 29_316_387


def test_mohajerani_has_the_size_that_its_description_gives():
    def double(inputs, outputs):
        return 9 * inputs * outputs + outputs + 9 * outputs**2 + outputs

    levels = double(1, 32) + double(32, 64) + double(64, 128) + double(128, 256)
    levels += double(256 + 128, 128) + double(128 + 64, 64) + double(64 + 32, 32)
    assert count(MohajeraniUNet()) == levels + 9 * 32 * 3 + 3 + 3 + 1


def test_baumhoer_has_the_size_of_the_original_unet():
    # 31 030 593 are the parameters of the U-Net of 2015 with one input channel and one output.
    assert count(BaumhoerUNet(1)) == 31_030_593 == count(BaumhoerUNet(4)) - 3 * 9 * 64


@pytest.mark.parametrize("name", SMALL)
def test_output_has_the_size_of_the_input(name):
    network = SMALL[name]().eval()
    rows, cols = 3 * network.stride, 4 * network.stride
    assert network(torch.zeros(2, 2, rows, cols)).shape[2:] == (rows, cols)


@pytest.mark.parametrize("name", [name for name in SMALL if name != "hed_unet"])
def test_nothing_beyond_the_stated_radius_changes_a_pixel(name):
    network = awake(SMALL[name]())
    radius, stride = network.receptive_radius, network.stride
    side = 2 * radius + 4 * stride
    x = torch.rand(1, 2, side, side, dtype=torch.float64, requires_grad=True)
    reach = []
    for centre in (side // 2, side // 2 + stride // 2, side // 2 + stride - 1):
        (gradient,) = torch.autograd.grad(network(x)[0, 0, centre, centre], x)
        touched = torch.nonzero(gradient[0].abs().sum(0))
        reach.append((touched - centre).abs().max().item())
    assert max(reach) <= radius
    assert max(reach) > 0.7 * radius


@pytest.mark.parametrize("name", SMALL)
def test_shift_equivariance_is_as_stated(name):
    network = awake(SMALL[name]())
    halo, stride = network.receptive_radius, network.stride
    x = torch.randn(1, 2, 2 * halo + 4 * stride, 2 * halo + 6 * stride, dtype=torch.float64)
    with torch.inference_mode():
        whole = network(x)[:, :, halo + stride : -halo, halo + 2 * stride : -halo]
        part = network(x[:, :, stride:, 2 * stride :])[:, :, halo:-halo, halo:-halo]
    assert whole.abs().max() > 1e-6
    difference = ((whole - part).abs().max() / whole.abs().max()).item()
    assert (difference < 1e-9) is network.shift_equivariant


def test_hed_unet_without_attention_takes_the_finest_level():
    network = HEDUNet(1, width=2, depth=2, merging="none").eval()
    x = torch.randn(1, 1, 16, 24)
    merged, *levels = network.levels(x)
    assert torch.equal(merged, levels[-1])
    assert [tuple(level.shape[2:]) for level in levels] == [(4, 6), (8, 12), (16, 24)]


def enlarged(levels, size):
    return torch.stack([nn.functional.interpolate(a, size=size, mode="bilinear", align_corners=True) for a in levels])


def test_hed_unet_merges_as_a_convex_mean_of_its_levels():
    torch.manual_seed(6)
    network = HEDUNet(1, width=2, depth=2).eval()
    merged, *levels = network.levels(torch.randn(1, 1, 16, 16))
    full = enlarged(levels, (16, 16))
    assert (merged <= full.amax(0) + 1e-6).all()
    assert (merged >= full.amin(0) - 1e-6).all()
    with torch.no_grad():
        for query in network.queries:
            query.weight.zero_()
            query.bias.zero_()
    even = network.levels(torch.ones(1, 1, 16, 16))
    torch.testing.assert_close(even[0], enlarged(even[1:], (16, 16)).mean(0))


def test_hed_unet_has_two_outputs():
    with pytest.raises(ValueError, match="two outputs"):
        HEDUNet(2, 3)


@pytest.mark.parametrize("options", [{"merging": "learned"}, {"squeeze_excite": True}])
def test_options_of_hed_unet_add_what_they_say(options):
    plain, other = HEDUNet(2, width=8, depth=2), HEDUNet(2, width=8, depth=2, **options)
    if "merging" in options:
        assert count(other) == count(plain) - 2 * (8 + 16 + 32) - 6 + 6 * 2 + 2
    else:
        assert count(other) > count(plain)
    assert other.eval()(torch.zeros(1, 2, 8, 8)).shape == (1, 2, 8, 8)
