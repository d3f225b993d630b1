"""Average weights of one architecture: a training's with those that it began with, for instance.

``python tools/average.py OUT.safetensors WEIGHTS.safetensors WEIGHTS.safetensors …``: every tensor becomes the mean of
the files' ones. What a training has learnt anew and what it has begun to forget are weighed against each other; means
of networks far apart are of no use. Prints the SHA-256 of what was written.
"""

from __future__ import annotations

import sys
from pathlib import Path

import torch

from icefront_dask.models.weights import read_weights, sha256_of, write_weights


def average(files: list[Path]) -> dict[str, torch.Tensor]:
    """Return the mean of the tensors of each name.

    Raises
    ------
    SystemExit
        Fewer than two files, or files whose tensors have other names or shapes.
    """
    if len(files) < 2:
        raise SystemExit("name two files of weights or more")
    states = [read_weights(file) for file in files]
    shapes = [{name: tuple(tensor.shape) for name, tensor in state.items()} for state in states]
    for file, found in zip(files, shapes, strict=True):
        if found != shapes[0]:
            raise SystemExit(f"{file.name} and {files[0].name} are of other architectures; average those of one")
    return {name: _mean([state[name] for state in states]) for name in states[-1]}


def _mean(tensors: list[torch.Tensor]) -> torch.Tensor:
    if not tensors[0].is_floating_point():
        return tensors[-1].clone()
    return torch.stack([tensor.double() for tensor in tensors]).mean(dim=0).float()


if __name__ == "__main__":
    out, *found = map(Path, sys.argv[1:])
    write_weights(out, average(found))
    print(sha256_of(out))
