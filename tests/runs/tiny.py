"""A real archive of four small scenes, and a network with random weights, for tests of whole runs."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from icefront_dask.models import registry
from icefront_dask.models.card import Card
from icefront_dask.models.weights import sha256_of, write_weights
from icefront_dask.simulate.archive import Archive, write_archive
from icefront_dask.simulate.plan import ArchivePlan, small_plan

OPTIONS = {"in_channels": 3, "out_channels": 2, "width": 4, "norm": "batch", "pooling": False, "dropout": 0.0}


def tiny_plan() -> ArchivePlan:
    """One outlet, two scenes of each sensor."""
    return ArchivePlan((small_plan(size_m=4200.0).places[0],))


def tiny_archive(folder: Path) -> Archive:
    return write_archive(folder, tiny_plan(), workers=1)


def tiny_model(folder: Path, name: str = "tiny", primary: tuple[str, ...] = ("hh", "vv", "nir", "grey")) -> Path:
    import torch

    torch.manual_seed(3)
    folder.mkdir(parents=True, exist_ok=True)
    weights = folder / f"{name}.safetensors"
    write_weights(weights, registry.build("unet_aspp", OPTIONS).state_dict())
    card = Card(
        name=name,
        version="0",
        summary="Random weights.",
        sha256=sha256_of(weights),
        architecture="unet_aspp",
        architecture_options=OPTIONS,
        primary=primary,
        cross=("hv", "vh"),
        scaling="robust score",
        stride=16,
        receptive_radius=100,
        shift_equivariant=True,
        pixel_size_m=(10, 60),
        training_data=(),
        licence="Apache-2.0",
        seed=3,
        simulated_seeds=(),
        command=(),
        scores={},
        known_failures=("everything",),
    )
    weights.with_suffix(".json").write_text(card.model_dump_json(), encoding="utf-8")
    return weights


def write_config(path: Path, archive: Archive, model: Path | str, **changes: Any) -> Path:
    """Write a run file into a folder of its own; the run's output is beside it."""
    content = {
        "source": str(archive.items),
        "regions": str(archive.regions),
        "output": "out",
        "model": str(model) if isinstance(model, Path) else model,
        "predict": {"tta": "none", "engine": "torch-fp32"},
        "runs": {"scenes_per_unit": 1},
        **changes,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    return path


def tree(folder: Path) -> dict[str, bytes]:
    """Every file below a folder with its bytes, but for the lock."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != ".lock"
    }
