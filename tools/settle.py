"""Estimate running statistics of batch norms that are not finite anew, from batches of a finished training.

``python tools/settle.py CONFIG [BATCHES]``: the averaged weights of the training's checkpoint see so many batches (48)
of its own data; for each batch norm with a mean or variance that is not finite, the mean of the
batches' ones takes its place, and the weights are written again. Where all are finite nothing changes. Prints, as a
check, the median ratio of the variances found in this way to the running ones of all other batch norms.
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
from itertools import islice
from pathlib import Path

import torch
from torch import nn
from torch.optim.swa_utils import update_bn

from icefront_dask.models import registry
from icefront_dask.models.weights import write_weights
from icefront_dask.train.batches import loader
from icefront_dask.train.config import read_train_config
from icefront_dask.train.fit import without_sides


def settle(config_path: Path, batches: int = 48) -> dict[str, float | list[str]]:
    """Return which batch norms were settled, and the median ratio of the others' variances."""
    config = read_train_config(config_path)
    network = registry.build(config.architecture, config.architecture_options)
    state = torch.load(config.out / "checkpoint.pt", weights_only=True, map_location="cpu")
    network.load_state_dict(state["slow"])
    norms = {name: layer for name, layer in network.named_modules() if isinstance(layer, nn.BatchNorm2d)}
    broken = [
        name for name, n in norms.items() if not (n.running_mean.isfinite().all() and n.running_var.isfinite().all())
    ]
    if not broken:
        return {"settled": [], "ratio": 1.0}
    seen = copy.deepcopy(network).train()  # with channels dropped, as in training
    torch.manual_seed(config.seed)
    update_bn(islice(loader(config, 0), batches), seen)
    found = dict(seen.named_modules())
    ratios = [
        float(found[name].running_var.div(norm.running_var.clamp_min(1e-12)).median())
        for name, norm in norms.items()
        if name not in broken
    ]
    for name in broken:
        norms[name].running_mean.copy_(found[name].running_mean)
        norms[name].running_var.copy_(found[name].running_var)
    write_weights(config.out / f"{config.name}.safetensors", without_sides(network))
    return {"settled": broken, "ratio": statistics.median(ratios)}


if __name__ == "__main__":
    print(json.dumps(settle(Path(sys.argv[1]), *map(int, sys.argv[2:3]))))
