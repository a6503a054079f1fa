"""The whole visit: a healthy project, one that was moved, one that was copied, and none."""

import shutil

import pytest
from conftest import PROJECT_FILES

from helpers import PROJECT, contents
from mmm_demo.store.doctor.examination import run_doctor
from mmm_demo.store.doctor.finding import FIX, Diagnosis, Finding, diagnosis_lines
from mmm_demo.store.registry import load_champion
from mmm_demo.store.runs import open_run
from versions import again, data_folder, run_promotion


def silent(_: str) -> None:
    """Say nothing."""


@pytest.fixture
def settled(store, project):
    """An empty store as a project has it; the template's first experiment lies elsewhere."""
    run_doctor(project, True, silent)
    for backup in (project / "mlruns").glob("*.bak"):
        backup.unlink()
    return project


def enter(monkeypatch, root):
    """Go to a project's folder, with MLflow pointed at its store."""
    monkeypatch.chdir(root)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{root / 'mlruns' / 'mlflow.db'}")


def test_a_healthy_project_has_no_finding_and_is_not_touched(settled, make_version):
    make_version()
    run_promotion()
    said = []
    before = contents(settled)
    with open_run("at work", "fit"):
        done = run_doctor(settled, True, said.append)
    assert (done, done.healthy) == (Diagnosis((), (), ()), True)
    assert "looking at mmm_demo: its 1 versions and aliases" in said
    after = contents(settled)
    assert set(after) == set(before)
    database = {"mlruns/mlflow.db"}
    assert {name for name in before if before[name] != after[name]} <= database


def test_a_moved_project_plans_again_after_the_fix(settled, make_version, monkeypatch, tmp_path):
    make_version()
    run_promotion()
    new = tmp_path / "new home" / "project"
    new.parent.mkdir()
    shutil.move(settled, new)
    enter(monkeypatch, new)
    with pytest.raises(RuntimeError):
        load_champion("demo")
    found = run_doctor(new, False, silent)
    assert [item.mend for item in found.left] == [FIX]
    assert "not looked at" in found.notes[0]
    with pytest.raises(RuntimeError):
        load_champion("demo")
    mended = run_doctor(new, True, silent)
    assert (mended.left, len(mended.mended)) == ((), 1)
    assert len(list((new / "mlruns").glob("mlflow.db.*.bak"))) == 1
    assert int(load_champion("demo").version.version) == 1
    assert run_doctor(new, False, silent) == Diagnosis((), (), ())
    assert not settled.exists()


@pytest.fixture
def undisturbed(demo):
    """The main job's project, to which no other process adds a run meanwhile."""
    with demo.writing:
        yield demo


def test_a_copy_of_the_main_jobs_project_gets_a_life_of_its_own(undisturbed, monkeypatch, tmp_path):
    demo, root = undisturbed, tmp_path / "copy"
    shutil.copytree(demo.root / "mlruns", root / "mlruns")
    for name in PROJECT_FILES:
        copy = shutil.copytree if (PROJECT / name).is_dir() else shutil.copyfile
        copy(PROJECT / name, root / name)
    enter(monkeypatch, root)
    original = contents(demo.root)
    assert [item.mend for item in run_doctor(root, False, silent).left] == [FIX]
    mended = run_doctor(root, True, silent)
    assert mended.left == ()
    with open_run("mine", "fit") as run:
        run.log_text("hello", "hello.txt")
    assert len(list(root.rglob("hello.txt"))) == 1
    assert contents(demo.root) == original
    version = load_champion("demo").version
    assert data_folder(again(version)).is_relative_to(root)
    assert run_doctor(root, False, silent) == Diagnosis((), (), ())


def test_many_faults_at_once_are_all_found_and_the_safe_ones_mended(
    settled, store, make_version, tmp_path
):
    version = make_version()
    run_promotion()
    (data_folder(version) / "gate.json").unlink()
    store.create_run("0", run_name="of mlflow run")
    found = run_doctor(settled, False, silent)
    assert [item.where.split()[0] for item in found.left] == ["run", "version"]
    assert not found.healthy
    done = run_doctor(settled, True, silent)
    assert [item.where.split()[0] for item in done.left] == ["run"]
    assert "gate.json" in done.mended[0]


def test_a_fix_that_fails_is_still_left_to_mend(store, project):
    with open_run("at work", "fit") as run:
        done = run_doctor(project, True, silent)
    assert f"not mended: run {run.run_id[:8]} is at work" in done.left[0].what


def test_without_a_store_there_is_a_note_and_no_store_afterwards(project, monkeypatch):
    enter(monkeypatch, project)
    done = run_doctor(project, True, silent)
    assert done.healthy
    assert "no store yet" in done.notes[0]
    assert not (project / "mlruns").exists()


def test_a_store_of_another_place_is_looked_at_but_its_paths_are_not_rewritten(
    store, project, monkeypatch, tmp_path
):
    other = tmp_path / "other.db"
    shutil.move(project / "mlruns" / "mlflow.db", other)
    before = other.read_bytes()
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{other}")
    done = run_doctor(project, True, silent)
    assert done.healthy
    assert "not looked at" in done.notes[0]
    assert other.read_bytes() == before


def test_a_server_that_does_not_answer_is_one_finding(project, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    (found,) = run_doctor(project, False, silent).left
    assert "does not answer" in found.what


def test_each_finding_is_two_lines_and_the_end_counts_them():
    found = Finding("is broken", "run 1", "mend it")
    lines = diagnosis_lines(Diagnosis((found, found), ("run 2 is well",), ("take care",)))
    assert lines == [
        "Mended: run 2 is well",
        "1. run 1: is broken",
        "     mend it",
        "2. run 1: is broken",
        "     mend it",
        "Note: take care",
        "2 things left to mend.",
    ]
    assert diagnosis_lines(Diagnosis((), (), ())) == ["Nothing left to mend."]
    assert diagnosis_lines(Diagnosis((found,), (), ()))[-1] == "1 thing left to mend."
