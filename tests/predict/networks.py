"""Small networks of real layers: one with a receptive radius known by hand, one that the registry loads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from icefront_dask.models import registry
from icefront_dask.models.card import Card
from icefront_dask.models.weights import sha256_of, write_weights
from icefront_dask.predict.bands import CROSS, PRIMARY

if TYPE_CHECKING:
    from pathlib import Path

STRIDE = 4
RADIUS = 13  # 2 convolutions at 1 px, 2 at 2 px and 1 at 4 px, and up to 3 px from the pooling grid


class TinyUNet(nn.Module):
    """Two poolings, skip connections, batch norm: what the shipped networks have, far smaller."""

    stride = STRIDE
    receptive_radius = RADIUS

    def __init__(self, seed: int = 7, channels: int = 3) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            self.first = nn.Sequential(nn.Conv2d(channels, 6, 3, padding=1), nn.BatchNorm2d(6), nn.LeakyReLU(0.1))
            self.second = nn.Sequential(nn.Conv2d(6, 8, 3, padding=1), nn.BatchNorm2d(8), nn.LeakyReLU(0.1))
            self.third = nn.Sequential(nn.Conv2d(8, 8, 3, padding=1), nn.LeakyReLU(0.1))
            self.up_second = nn.ConvTranspose2d(8, 8, 2, stride=2)
            self.join_second = nn.Conv2d(16, 6, 3, padding=1)
            self.up_first = nn.ConvTranspose2d(6, 6, 2, stride=2)
            self.join_first = nn.Conv2d(12, 6, 3, padding=1)
            self.head = nn.Conv2d(6, 2, 1)
            for module in self.modules():
                if isinstance(module, nn.BatchNorm2d):
                    nn.init.uniform_(module.running_mean, -0.5, 0.5)
                    nn.init.uniform_(module.running_var, 0.5, 2)
        self.eval()

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        first = self.first(x)
        second = self.second(nn.functional.max_pool2d(first, 2))
        third = self.third(nn.functional.max_pool2d(second, 2))
        joined = self.join_second(torch.cat([second, self.up_second(third)], dim=1))
        return self.head(torch.relu(self.join_first(torch.cat([first, self.up_first(torch.relu(joined))], dim=1))))


class BrightIce(nn.Module):
    """Ice is what is brighter than the median; a front is where its smoothed score changes sign."""

    stride = 4
    receptive_radius = 2

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        score = nn.functional.avg_pool2d(x[:, :1], 5, stride=1, padding=2, count_include_pad=False)
        return torch.cat([6 * score, 6 - 30 * score.abs()], dim=1)


def bright_scene(height: int, width: int, line: float, noise: float = 0.0) -> np.ndarray:
    """Bright ice above a tilted line, dark water below, as linear power."""
    rows, columns = np.indices((height, width)) + 0.5
    ice = rows < line + 0.1 * (columns - width / 2)
    power = np.where(ice, 0.1, 0.01) * np.random.default_rng(3).gamma(8, 1 / 8, (height, width)) ** noise
    return power.astype(np.float32)


def _unet_options(channels: int, width: int, depth: int, fold: int) -> dict[str, Any]:
    return {
        "in_channels": channels,
        "out_channels": 2,
        "width": width,
        "depth": depth,
        "fold": fold,
        "dilations": [1],
        "norm": "batch",
        "pooling": False,
    }


def random_unet(*, seed: int = 3, channels: int = 3, width: int = 2, depth: int = 5, fold: int = 1) -> Any:
    """Return a small UNetASPP whose random weights neither fade nor explode."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = registry.build("unet_aspp", _unet_options(channels, width, depth, fold))
        for module in network.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.normal_(module.weight, std=1.5 / module.weight[0].numel() ** 0.5)
    return network.eval()


def save_model(
    folder: Path,
    name: str,
    *,
    seed: int = 3,
    width: int = 2,
    channels: int = 3,
    depth: int = 5,
    fold: int = 1,
    **card: Any,
) -> str:
    """Write random weights of a small UNetASPP with its card; return the path that names the model."""
    options = _unet_options(channels, width, depth, fold)
    network = random_unet(seed=seed, channels=channels, width=width, depth=depth, fold=fold)
    path = folder / f"{name}.safetensors"
    write_weights(path, network.state_dict())
    fields: dict[str, Any] = {
        "name": name,
        "version": "0",
        "summary": "random weights",
        "sha256": sha256_of(path),
        "architecture": "unet_aspp",
        "architecture_options": options,
        "primary": PRIMARY,
        "cross": CROSS,
        "scaling": "robust score",
        "stride": network.stride,
        "receptive_radius": network.receptive_radius,
        "shift_equivariant": True,
        "pixel_size_m": (10, 100),
        "training_data": (),
        "licence": "Apache-2.0",
        "seed": seed,
        "simulated_seeds": (),
        "command": (),
        "scores": {},
        "known_failures": (),
    }
    path.with_suffix(".json").write_text(Card(**{**fields, **card}).model_dump_json())
    return str(path)
