"""The project's own files: sizes, set-up commands, entry points, constraints, tool settings."""

from __future__ import annotations

import importlib
import re
import subprocess
import sys
import tomllib
from importlib.metadata import PackageNotFoundError, distribution, entry_points
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOURCES = sorted(
    path for folder in ("icefront_dask", "tests", "tools", "benchmarks") for path in (ROOT / folder).rglob("*.py")
)


def constraints() -> dict[str, Version]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line.split("#")[0].strip() for line in lines]
    pairs = [pin.split("==") for pin in pins if pin]
    assert all(len(pair) == 2 for pair in pairs), "constraints.txt pins with == only"
    return {canonicalize_name(name): Version(version) for name, version in pairs}


def requirements() -> list[Requirement]:
    project = PYPROJECT["project"]
    lines = project["dependencies"] + [line for extra in project["optional-dependencies"].values() for line in extra]
    return [Requirement(line) for line in lines]


def test_files_are_at_most_400_lines():
    lines = {str(p.relative_to(ROOT)): len(p.read_text(encoding="utf-8").splitlines()) for p in SOURCES}
    assert lines
    assert {name: count for name, count in lines.items() if count > 400} == {}


def test_every_suppression_names_its_rule():
    bare = re.compile(r"#\s*(noqa(?!: ?[A-Z])|type:\s*ignore(?!\[))")
    found = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in SOURCES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if path != Path(__file__) and bare.search(line)
    ]
    assert found == []


def test_constraints_pin_every_dependency_to_an_allowed_version():
    pins = constraints()
    for requirement in requirements():
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"constraints.txt lacks {requirement.name}"
        assert pin in requirement.specifier, f"{requirement.name}=={pin} is not {requirement.specifier}"


def test_installed_closure_is_pinned():
    """Whatever pip pulled in for the package and its installed extras stands in constraints.txt."""
    pins = constraints()
    pending = [(requirement.name, frozenset(requirement.extras)) for requirement in requirements()]
    seen = set()
    missing = set()
    while pending:
        name, extras = pending.pop()
        if (canonicalize_name(name), extras) in seen:
            continue
        seen.add((canonicalize_name(name), extras))
        try:
            found = distribution(name)
        except PackageNotFoundError:
            continue
        if canonicalize_name(name) not in pins:
            missing.add(name)
        for line in found.requires or []:
            requirement = Requirement(line)
            markers = [{"extra": extra} for extra in extras] or [{"extra": ""}]
            if requirement.marker is None or any(requirement.marker.evaluate(m) for m in markers):
                pending.append((requirement.name, frozenset(requirement.extras)))
    # pip and setuptools come with the environment, not through the constraints.
    assert missing - {"pip", "setuptools"} == set()


@pytest.mark.parametrize("group", ["console_scripts", "icefront_dask.models"])
def test_entry_points_resolve(group):
    table = (
        PYPROJECT["project"]["scripts"] if group == "console_scripts" else PYPROJECT["project"]["entry-points"][group]
    )
    installed = {point.name: point for point in entry_points(group=group)}
    for name, target in table.items():
        module, attribute = target.split(":")
        assert callable(getattr(importlib.import_module(module), attribute))
        assert installed[name].value == target, "the installed package is stale: run make test or pip install -e ."


def test_import_is_light():
    heavy = {"torch", "rasterio", "geopandas", "pyproj", "stackstac", "odc", "numba", "matplotlib"}
    code = f"import sys, icefront_dask; print(sorted({heavy!r} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_public_names_resolve():
    import icefront_dask

    assert icefront_dask.__all__
    for name in icefront_dask.__all__:
        assert getattr(icefront_dask, name) is not None
    assert set(icefront_dask.__all__) <= set(dir(icefront_dask))


def test_readme_has_two_set_up_commands():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Set-up\n(.*?)^## ", readme, re.DOTALL | re.MULTILINE).group(1)
    blocks = re.findall(r"```sh\n(.*?)```", section, re.DOTALL)
    assert [line for block in blocks for line in block.splitlines()] == ["make demo", "make test"]


def test_readme_links_exist():
    for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md"):
        text = (ROOT / name).read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://|#)([^)]+)\)", text):
            assert (ROOT / target).exists(), f"{name} links to {target}, which is not there"


def test_make_targets():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z]+):", makefile, re.MULTILINE))
    assert {"demo", "test", "lint", "bench", "real", "soak", "train", "clean"} <= targets
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
    assert re.search(r"^make test$", (ROOT / ".ci" / "run").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("script", [".ci/run", "tools/setup-venv.sh", "tools/setup-tests.sh"])
def test_shell_scripts_parse(script):
    subprocess.run(["bash", "-n", ROOT / script], check=True)
    assert "set -euo pipefail" in (ROOT / script).read_text(encoding="utf-8")


def test_lint_is_strict():
    tools = PYPROJECT["tool"]
    assert tools["ruff"]["lint"]["select"] == ["ALL"]
    assert tools["mypy"]["strict"] is True
    assert "unused-ignore" not in tools["mypy"].get("disable_error_code", [])
    assert tools["importlinter"]["contracts"][0]["exhaustive"] is True


def test_hooks_call_what_make_calls():
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    entries = " ".join(hook["entry"] for hook in hooks)
    for tool in ("ruff check", "ruff format", "mypy", "lint-imports"):
        assert tool in entries


def test_readme_examples_use_what_there_is():
    import icefront_dask
    from icefront_dask.runs import RunConfig

    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (python,) = re.findall(r"```python\n(.*?)```", readme, re.DOTALL)
    compile(python, "README.md", "exec")
    used = set(re.findall(r"\bicefront\.(\w+)", python))
    assert used
    assert used <= set(icefront_dask.__all__)
    (config,) = re.findall(r"```yaml\n(.*?)```", readme, re.DOTALL)
    assert RunConfig.model_validate(yaml.safe_load(config)).families == ("sentinel-1", "landsat")
    listed = set(re.findall(r"^\| `icefront ([\w-]+)` \|", readme, re.MULTILINE))
    from icefront_dask.cli import app

    assert listed == {command.callback.__name__.replace("_", "-") for command in app.registered_commands}


def test_the_commands_of_the_weights_are_commands_of_the_package():
    listed = subprocess.run(
        [sys.executable, ROOT / "tools" / "train.py"], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    commands = [line.strip() for line in listed if line.startswith("  ")]
    assert len(commands) >= len(list((ROOT / "icefront_dask" / "models" / "weights").glob("*.json"))) > 0
    for command in commands:
        *words, config = command.split()
        if words[:2] == ["python", "tools/average.py"]:
            for file in (*words[3:], config):
                folder, name = Path(file).parts[-2:]
                assert (ROOT / "configs" / f"{folder}.yaml").is_file(), f"{command}: nothing makes {file}"
                assert name == f"{folder}.safetensors"
            continue
        assert words in (["icefront", "train"], ["python", "tools/settle.py"])
        assert (ROOT / config).is_file(), f"{command}: there is no {config}"
