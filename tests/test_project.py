"""The project's own files: pins, documents, entry points, environments."""

import re
import runpy
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import copy_project
from helpers import PROJECT
from mmm_demo.cli import cli

UV = shutil.which("uv")


@pytest.mark.skipif(UV is None, reason="uv is not on PATH; run the tests with: uv run pytest")
def test_pins_are_those_of_the_lock() -> None:
    """After a change of dependencies the pins must be written again: uv run .ci/freeze."""
    rendered = runpy.run_path(str(PROJECT / ".ci" / "freeze"))["rendered"]()
    for name, text in rendered.items():
        assert (PROJECT / name).read_text("utf-8") == text, f"{name} is stale; run .ci/freeze"
        assert "://" not in text


def test_readme_commands_exist() -> None:
    text = (PROJECT / "README.md").read_text("utf-8")
    blocks = "\n".join(re.findall(r"^(?: {4}.*\n?)+", text, flags=re.MULTILINE))
    verbs = re.findall(r"mmm-demo ([a-z]+)", blocks)
    assert set(verbs) == set(cli.commands)
    for verb in verbs:
        assert verb in cli.commands
    for line in re.findall(r"uv run mmm-demo (.*)", blocks):
        verb, *words = shlex.split(line, comments=True)
        cli.commands[verb].make_context(verb, words)  # a word that it does not know is an error
    for name in re.findall(r"(?<!outputs/)experiments/(?!my_)\w+\.yaml", text):
        assert (PROJECT / name).is_file(), name
    for name in re.findall(r"benchmarks/\w+\.py", text):
        assert (PROJECT / name).is_file(), name


@pytest.mark.skipif(UV is None, reason="uv is not on PATH; run the tests with: uv run pytest")
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
