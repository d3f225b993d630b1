"""Four images learned by heart: whether a network, its task and its loss can learn at all."""

import numpy as np
import torch

from icefront_dask.models import registry
from icefront_dask.train.config import TrainConfig
from icefront_dask.train.labelled import Labelled
from icefront_dask.train.parallel import Place
from icefront_dask.train.preparation import preparation
from icefront_dask.train.tasks import build_task
from icefront_dask.train.validation import score_batches
from tests.train import trees

SIDE = 96
# By network: its task, its inputs, and options at a share of its full width (and depth, of CALFIN's middle flow).
NETWORKS = {
    "unet_aspp": ("zones", "caffe", 1, lambda share: {"width": int(32 * share)}),
    "calfin": ("edge-ice", "calfin", 3, lambda share: {"width": share, "middle": 8 if share == 1 else 2}),
    "hed_unet": ("area-edge", "hed-unet", 1, lambda share: {"width": int(16 * share)}),
    "mohajerani_unet": ("area", "mohajerani", 1, lambda share: {"width": int(32 * share)}),
    "baumhoer_unet": ("area", "caffe", 1, lambda share: {"width": int(64 * share)}),
}


class Outputs(torch.nn.Module):
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        return self.network.levels(x) if hasattr(self.network, "levels") else [self.network(x)]


def images(channels):
    """Four labelled images whose classes differ by brightness and texture."""
    for number in range(4):
        ice, front, rock, nothing, image = trees.scene(number, (SIDE, SIDE))
        zones = np.select([nothing, rock, ice], [0, 1, 2], 3).astype(np.uint8)
        everywhere = np.ones(ice.shape, bool)
        bands = np.repeat(image[None].astype(np.float32), channels, axis=0)
        yield Labelled(str(number), "g", bands, ice & ~nothing, everywhere, front, everywhere, zones)


RATES = {"calfin": 5e-3}


def overfit(name, share, steps=400, goal=0.985):
    """Return the IoU of ice (glacier) on the four images in evaluation mode, and the steps it took."""
    task_name, way, channels, options = NETWORKS[name]
    config = TrainConfig(name="overfit", out="unused", task=task_name, architecture=name)
    task, loss = build_task(config)
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = {"in_channels": channels, "out_channels": task.outputs, **options(share)}
    network = Outputs(registry.build(name, given))
    scale = preparation(way).scale
    windows = [(scale(window.image), *task.targets(window)) for window in images(channels)]
    batch = tuple(torch.from_numpy(np.stack(parts)) for parts in zip(*windows, strict=True))
    optimiser = torch.optim.Adam(network.parameters(), RATES.get(name, 3e-3))
    ice = "iou_glacier" if task_name == "zones" else "iou_ice"
    found = 0.0
    for step in range(1, steps + 1):
        network.train()
        optimiser.zero_grad()
        loss(network(batch[0]), *batch[1:]).backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 1.0)
        optimiser.step()
        if step % 10 == 0:
            found = score_batches(network.eval(), [batch], task, loss, Place(torch.device("cpu")))[ice]
            if found > goal:
                break
    return found, step
