"""environment.yml and environment-gpu.yml hold what pyproject.toml says, under conda-forge's names."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

ROOT = Path(__file__).resolve().parents[1]

# conda's name of a package whose name on PyPI differs, where they differ.
CONDA_NAMES = {
    "dask": "dask-core",
    "geopandas": "geopandas-base",
    "matplotlib": "matplotlib-base",
    "playwright": "playwright-python",
    "torch": "pytorch",
    "types-PyYAML": "types-pyyaml",
}
# What an extra of a package needs on conda, where packages have no extras.
CONDA_EXTRAS = {"moto[server]": {"flask", "flask-cors"}, "dask-cuda[cu13]": {"cuda-version"}}
# What every environment has besides the packages of pyproject.toml.
BASE = {"python", "pip"}

ENVIRONMENTS = {
    "environment.yml": (["gateway", "icechunk", "openvino", "plot", "dev"], {}),
    "environment-gpu.yml": (["gateway", "icechunk", "openvino", "plot", "cuda"], {"torch": "pytorch-gpu"}),
}


def project() -> dict:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def expected(extras: list[str], names: dict[str, str]) -> tuple[dict[str, SpecifierSet], set[str]]:
    """Return conda's packages with versions, and those that only conda needs."""
    metadata = project()
    lines = list(metadata["dependencies"])
    for extra in extras:
        lines += metadata["optional-dependencies"][extra]
    packages: dict[str, SpecifierSet] = {}
    additional = set(BASE)
    for requirement in map(Requirement, lines):
        name = {**CONDA_NAMES, **names}.get(requirement.name, requirement.name)
        packages[name] = requirement.specifier
        for extra in requirement.extras:
            additional |= CONDA_EXTRAS[f"{requirement.name}[{extra}]"]
    return packages, additional


def conda_packages(path: Path) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in yaml.safe_load(path.read_text(encoding="utf-8"))["dependencies"]:
        name, version = re.fullmatch(r"([a-z0-9_-]+)(.*)", line).groups()
        assert name not in found, f"{name} is listed twice in {path.name}"
        found[name] = version
    return found


@pytest.mark.parametrize("filename", ENVIRONMENTS)
def test_conda_environment_equals_pyproject(filename):
    packages, additional = expected(*ENVIRONMENTS[filename])
    found = conda_packages(ROOT / filename)
    assert set(found) == set(packages) | additional
    assert {name: SpecifierSet(found[name]) for name in packages} == packages
    assert SpecifierSet(found["python"]) == SpecifierSet(project()["requires-python"])


@pytest.mark.parametrize(
    ("filename", "channels"),
    [
        ("environment.yml", ["conda-forge", "nodefaults"]),
        ("environment-gpu.yml", ["rapidsai", "conda-forge", "nodefaults"]),
    ],
)
def test_channels(filename, channels):
    assert yaml.safe_load((ROOT / filename).read_text(encoding="utf-8"))["channels"] == channels


def test_gpu_environment_states_the_cuda_of_the_extra():
    (requirement,) = map(Requirement, project()["optional-dependencies"]["cuda"])
    (extra,) = requirement.extras
    assert conda_packages(ROOT / "environment-gpu.yml")["cuda-version"] == f"={extra.removeprefix('cu')}.*"
