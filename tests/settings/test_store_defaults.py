"""One store for every MLflow command inside the project; explicit settings win; none outside."""

import json
import os
import subprocess
from pathlib import Path

import pytest

from helpers import PROJECT, PYTHON
from mmm_demo.settings.project import apply_defaults, find_project_root, tracking_store

MLPROJECT = (PROJECT / "MLproject").read_text(encoding="utf-8")
# What a fresh MLflow says about itself; importing the defaults is left to its own entry point.
ASK = """
import json, os, mlflow
settings = sorted(name for name in os.environ if name.startswith("MLFLOW_"))
print(json.dumps([mlflow.get_tracking_uri(), mlflow.get_registry_uri(), settings]))
"""


def without_settings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if not key.startswith("MLFLOW_")}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with the project's MLproject and a sub-folder; no MLflow setting is made."""
    folder = tmp_path.resolve() / "my project"
    (folder / "notebooks" / "deep").mkdir(parents=True)
    (folder / "MLproject").write_text(MLPROJECT, encoding="utf-8")
    # The tested code sets variables that monkeypatch would not take back: hand it a copy.
    monkeypatch.setattr(os, "environ", without_settings())
    return folder


def settings() -> dict[str, str]:
    return {key: value for key, value in os.environ.items() if key.startswith("MLFLOW_")}


def database(root: Path) -> str:
    return f"sqlite:///{root / 'mlruns' / 'mlflow.db'}"


@pytest.mark.parametrize("where", [".", "notebooks", "notebooks/deep"])
def test_everything_is_under_mlruns_wherever_in_the_project(
    root: Path, monkeypatch: pytest.MonkeyPatch, where: str
) -> None:
    monkeypatch.chdir(root / where)
    apply_defaults()
    found = settings()
    assert found["MLFLOW_TRACKING_URI"] == found["MLFLOW_BACKEND_STORE_URI"] == database(root)
    assert found["MLFLOW_DEFAULT_ARTIFACT_ROOT"] == str(root / "mlruns")
    assert found["MLFLOW_EXPERIMENT_NAME"] == "mmm_demo"
    assert found["MLFLOW_DISABLE_TELEMETRY"] == "true"
    assert (root / "mlruns").is_dir() and not list((root / "mlruns").iterdir())


def test_second_time_changes_nothing(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    apply_defaults()
    before = settings()
    apply_defaults()
    assert settings() == before


@pytest.mark.parametrize("name", ["MLFLOW_TRACKING_URI", "MLFLOW_BACKEND_STORE_URI"])
def test_explicit_store_wins_and_nothing_is_made(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(root)
    os.environ[name] = "sqlite:////elsewhere/mlflow.db"
    apply_defaults()
    found = settings()
    assert found.pop(name) == "sqlite:////elsewhere/mlflow.db"
    assert not [key for key in found if "URI" in key or "EXPERIMENT" in key or "ROOT" in key]
    assert not (root / "mlruns").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MLFLOW_EXPERIMENT_NAME", "mine"),
        ("MLFLOW_DEFAULT_ARTIFACT_ROOT", "/elsewhere"),
        ("MLFLOW_DISABLE_TELEMETRY", "false"),
        ("MLFLOW_UV_AUTO_DETECT", "true"),
    ],
)
def test_each_explicit_setting_wins(
    root: Path, monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.chdir(root)
    os.environ[name] = value
    apply_defaults()
    assert settings()[name] == value
    assert settings()["MLFLOW_TRACKING_URI"] == database(root)


def test_experiment_that_mlflow_run_chose_is_kept(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(root)
    os.environ["MLFLOW_EXPERIMENT_ID"] = "7"
    apply_defaults()
    assert "MLFLOW_EXPERIMENT_NAME" not in settings()  # MLflow refuses both at once


@pytest.mark.parametrize(
    "content",
    [
        None,
        b"",
        b"name: other\n",
        b"name: mmm_demo_of_someone_else\n",
        b"\xff\xfenot text",
        b"# name: mmm_demo\n",
    ],
)
def test_nothing_is_set_outside_the_project(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None
) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    if content is not None:
        (outside / "MLproject").write_bytes(content)
    monkeypatch.chdir(outside)
    apply_defaults()
    assert settings() == {}
    assert find_project_root() is None
    assert not (outside / "mlruns").exists()


def test_folder_named_mlproject_is_no_project(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "MLproject").mkdir()
    assert find_project_root(tmp_path) is None


def test_deleted_working_directory_is_no_project(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    apply_defaults()
    assert settings() == {}
    monkeypatch.chdir(tmp_path)


def test_root_of_this_project_is_found() -> None:
    assert find_project_root(PROJECT / "src" / "mmm_demo") == PROJECT
    assert find_project_root(PROJECT.parent) is None


def test_entry_point_is_no_store() -> None:
    with pytest.raises(ValueError, match="not a tracking store"):
        tracking_store("mmm-demo-defaults://somewhere")


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list]:
    """Answers of three fresh MLflow processes, asked at once: importing MLflow takes seconds."""
    base = tmp_path_factory.mktemp("answers").resolve()
    for name in ("inside", "explicit"):
        (base / name / "notebooks").mkdir(parents=True)
        (base / name / "MLproject").write_text(MLPROJECT, encoding="utf-8")
    (base / "outside").mkdir()
    mine = {"MLFLOW_TRACKING_URI": f"sqlite:///{base / 'mine.db'}"}
    places = {
        "inside": (base / "inside" / "notebooks", {}),
        "explicit": (base / "explicit", mine),
        "outside": (base / "outside", {}),
    }
    asked = {
        name: subprocess.Popen(
            [PYTHON, "-c", ASK], cwd=folder, env=without_settings() | given, stdout=subprocess.PIPE
        )
        for name, (folder, given) in places.items()
    }
    said = {name: process.communicate(timeout=60)[0] for name, process in asked.items()}
    return {"base": [base]} | {name: json.loads(line) for name, line in said.items()}


@pytest.mark.slow
def test_mlflow_itself_finds_the_store_from_a_sub_folder(answers: dict[str, list]) -> None:
    tracking, registry, names = answers["inside"]
    assert tracking == registry == database(answers["base"][0] / "inside")
    assert "MLFLOW_EXPERIMENT_NAME" in names


@pytest.mark.slow
def test_mlflow_itself_keeps_an_explicit_store(answers: dict[str, list]) -> None:
    base = answers["base"][0]
    tracking, registry, names = answers["explicit"]
    assert tracking == registry == f"sqlite:///{base / 'mine.db'}"
    assert "MLFLOW_BACKEND_STORE_URI" not in names
    assert not (base / "explicit" / "mlruns").exists()


@pytest.mark.slow
def test_mlflow_itself_is_left_alone_outside(answers: dict[str, list]) -> None:
    _, _, names = answers["outside"]
    assert names == []
    assert not list((answers["base"][0] / "outside").iterdir())
