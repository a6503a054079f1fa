"""The project's own files: pins and environments; its documents: test_docs."""

import re
import runpy
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import copy_project

from helpers import PROJECT

UV = shutil.which("uv")


needs_uv = pytest.mark.skipif(UV is None, reason="uv is not on PATH; run with: uv run pytest")
FREEZE = runpy.run_path(str(PROJECT / ".ci" / "freeze"))
PYPROJECT = (PROJECT / "pyproject.toml").read_text("utf-8")


@pytest.fixture(scope="module")
def on_another_day() -> dict[str, str]:
    """The files of pins, resolved anew by a registry that shows everything there will be."""
    return FREEZE["rendered"](PYPROJECT, "--exclude-newer", "2099-01-01")


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize("name", ["pyproject.toml", "requirements.lock", "python_env.yaml"])
def test_pins_are_those_of_a_fresh_resolution_on_any_day(
    name: str, on_another_day: dict[str, str]
) -> None:
    """After a change of dependencies the pins must be written again: uv run .ci/freeze."""
    here, there = (PROJECT / name).read_text("utf-8"), on_another_day[name]
    assert "://" not in here
    if name == "requirements.lock":  # its hashes are of files, and later files may join a version
        found = set(re.findall(r"--hash=\S+", here))
        assert found and found <= set(re.findall(r"--hash=\S+", there))
        here, there = FREEZE["requirements"](here), FREEZE["requirements"](there)
        assert len(here) > 200
    assert here == there, f"{name} is stale; run: uv run .ci/freeze"


@pytest.mark.slow
@needs_uv
def test_without_the_constraints_versions_hang_on_the_day() -> None:
    """What the date alone would do, and what `--upgrade` starts from."""
    free = FREEZE["constrained"](PYPROJECT, {name: [] for name in FREEZE["CONSTRAINTS"]})
    then = FREEZE["rendered"](free, "--exclude-newer", "2026-11-01")
    now = (PROJECT / "requirements.lock").read_text("utf-8")
    assert FREEZE["requirements"](then["requirements.lock"]) != FREEZE["requirements"](now)


@pytest.mark.slow
@needs_uv
@pytest.mark.parametrize("lock", ["with uv.lock", "without uv.lock"])
def test_mlflow_makes_the_environment_itself(
    lock: str, tmp_path: Path, user_environment: dict[str, str]
) -> None:
    """`--env-manager uv` installs the pins in a fresh folder, where the project is not installed.

    The promotion finds an empty registry and says so: MLflow, PyMC and the project were imported.
    """
    root = copy_project(tmp_path / "project")
    shutil.copytree(PROJECT / "src", root / "src")
    shutil.copy(PROJECT / ".python-version", root)
    if lock == "with uv.lock":
        shutil.copy(PROJECT / "uv.lock", root)
    done = subprocess.run(
        ["mlflow", "run", ".", "-e", "promote", "--env-manager", "uv"],
        cwd=root,
        env=user_environment | {"MLFLOW_ENV_ROOT": str(tmp_path / "envs")},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert "Error: mmm_demo has no version that passed; run: mmm-demo fit" in done.stderr
    assert done.returncode == 1
    assert len(list((tmp_path / "envs").iterdir())) == 1
