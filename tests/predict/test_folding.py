from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import pixel_shuffle, pixel_unshuffle

from icefront_dask.predict.folding import folded, unfolded
from icefront_dask.predict.halo import aligned_halo
from tests.predict.networks import random_unet


@given(
    st.integers(1, 4),
    st.tuples(st.integers(1, 2), st.integers(1, 3), st.integers(1, 4), st.integers(1, 5)),
    st.integers(0, 9),
)
def test_folding_is_that_of_pytorch(fold: int, shape: tuple[int, int, int, int], seed: int) -> None:
    count, channels, rows, columns = shape
    batch = np.random.default_rng(seed).normal(size=(count, channels, rows * fold, columns * fold)).astype(np.float32)
    batch[0, 0, 0, 0] = np.nan
    expected = pixel_unshuffle(torch.from_numpy(batch), fold).permute(0, 2, 3, 1).numpy()
    found = folded(batch, fold)
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(folded(batch[..., ::-1], fold), folded(batch[..., ::-1].copy(), fold))
    back = unfolded(found, fold)
    assert not np.shares_memory(back, found)
    np.testing.assert_array_equal(back, pixel_shuffle(torch.from_numpy(expected).permute(0, 3, 1, 2), fold).numpy())
    np.testing.assert_array_equal(back, batch)


@pytest.mark.parametrize(("fold", "depth", "stride"), [(1, 3, 4), (2, 2, 4), (2, 3, 8)])
def test_a_halo_is_measured_through_the_folding(fold: int, depth: int, stride: int) -> None:
    """Pixels beyond the halo of an aligned tile change nothing, those at its edge do."""
    network = random_unet(channels=3, width=4, depth=depth, fold=fold)
    assert network.stride == stride
    halo = aligned_halo(network, 3, stride, network.receptive_radius)
    assert halo is not None
    assert 0 < halo <= network.receptive_radius
    side = 2 * halo + 4 * stride
    source = torch.randn(1, 3, side, side, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        whole = network(source)[..., side // 2 :]
        exact, short = (network(source[..., side // 2 - cut :])[..., cut:] for cut in (halo, halo - stride))
    torch.testing.assert_close(exact, whole, atol=1e-5, rtol=0)
    assert (short - whole).abs().max() > 1e-5
