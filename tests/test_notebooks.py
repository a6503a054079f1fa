"""The notebooks run from top to bottom, in order, in a project of their own."""

import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from conftest import copy_project

from helpers import PROJECT, PYTHON

NOTEBOOKS = sorted((PROJECT / "notebooks").glob("*.ipynb"))


def test_notebooks_are_the_promised_ones() -> None:
    assert [path.stem[:3] for path in NOTEBOOKS] == ["01_", "02_", "03_", "04_", "05_"]
    assert NOTEBOOKS[0].stem == "01_data_exploration"
    assert NOTEBOOKS[-1].stem == "05_optimization"
    readme = (PROJECT / "notebooks" / "README.md").read_text("utf-8")
    assert [path.stem for path in NOTEBOOKS if f"`{path.stem}`" not in readme] == []


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_outputs_are_committed(path: Path) -> None:
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)


def test_notebooks_use_the_public_face_and_the_doors_alone() -> None:
    imported = {
        module
        for path in NOTEBOOKS
        for module in re.findall(r"(?:from|import) (mmm_demo[.\w]*)", path.read_text("utf-8"))
    }
    doors = {"config", "data", "model", "diagnostics", "optimization", "plotting"}
    assert "mmm_demo" in imported
    assert imported - {"mmm_demo"} <= {f"mmm_demo.{door}" for door in doors}


@pytest.mark.slow
def test_notebooks_run_in_order(tmp_path: Path, user_environment: dict[str, str]) -> None:
    root = copy_project(tmp_path / "project")
    shutil.copytree(PROJECT / "notebooks", root / "notebooks")
    done = subprocess.run(
        [
            PYTHON,
            "-m",
            "pytest",
            "-p",
            "nbmake",
            "--nbmake",
            "--nbmake-timeout=240",
            "notebooks",
            "-q",
            "-x",
            "-n0",
        ],
        cwd=root,
        env=user_environment,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout
    assert f"{len(NOTEBOOKS)} passed" in done.stdout
