"""A version made at commit 008ef34 outlives every move of the code: loaded, served, planned with.

How it was made says `tests/cases/version_008ef34/README.md`; its numbers are those of that commit.
"""

import json
import subprocess
import sys
from pathlib import Path

import mlflow
import pandas as pd
import pytest
from mlflow import MlflowClient

from helpers import PROJECT, PYTHON
from mmm_demo.checks.proof import BundleRefused
from mmm_demo.fits.tables import describe
from mmm_demo.jobs.plan import run_optimize
from mmm_demo.store.doctor.examination import run_doctor
from mmm_demo.store.provenance import written_hashes
from mmm_demo.store.registry import load_champion, prove_version
from older import CASE, restore

URI = "models:/mmm_demo@champion"
SOURCE = PROJECT / "src" / "mmm_demo"


@pytest.fixture
def model(store: MlflowClient, project: Path, monkeypatch) -> Path:
    # MLflow puts the code of a version that it loads on the path, where other tests' processes
    # would find the old rooms.
    monkeypatch.setattr(sys, "path", [*sys.path])
    return restore(project)


def stored(name: str, **options: object) -> pd.DataFrame:
    return pd.read_csv(CASE / name, **options)


def test_it_is_champion_proves_its_pass_and_tells_the_same_roas(model):
    champion = load_champion("demo")
    assert (champion.version.name, int(champion.version.version)) == ("mmm_demo", 1)
    fitted = champion.bundle.fitted
    assert fitted.weeks.size == 104
    pd.testing.assert_frame_equal(describe(fitted.roas()), stored("roas.csv"), check_exact=True)


def test_it_plans_and_the_plan_is_the_same(model, project, store):
    told = []
    done = run_optimize("demo", {"default_bounds": "seen"}, project, told.append)  # as it was then
    (file,) = done.files
    plan = pd.read_csv(file)
    pd.testing.assert_frame_equal(plan, stored("plan.csv"), rtol=1e-9)
    assert store.get_run(done.run.run_id).info.status == "FINISHED"


def test_it_is_served_and_predicts_the_same(model):
    answer = mlflow.pyfunc.load_model(URI).predict(weeks())
    expected = stored("prediction.csv", parse_dates=["Week"])
    pd.testing.assert_frame_equal(answer, expected, rtol=1e-12, check_dtype=False)


def weeks() -> pd.DataFrame:
    """Return the weeks that the stored prediction is about."""
    table = load_champion("demo").bundle.fitted.table
    return table.drop(columns="Sales").iloc[20:24].reset_index(drop=True)


def test_the_doctor_finds_nothing_but_the_runs_that_were_killed(model, project, store):
    found = run_doctor(project, True, [].append)  # the template's first experiment lies elsewhere
    assert sorted(item.where.split("(")[1].split(",")[0] for item in found.left) == [
        "kept 1",
        "sweep kept",
    ]
    assert all("cannot tell" in item.what and not item.safe for item in found.left)
    version = store.get_model_version("mmm_demo", "1")
    store.set_model_version_tag("mmm_demo", "1", "sha256.gate.json", "0" * 64)
    assert "sha256.gate.json" in " ".join(
        item.what for item in run_doctor(project, False, [].append).left
    )
    with pytest.raises(BundleRefused, match=r"bytes of gate.json|written record of gate.json"):
        prove_version(store.get_model_version("mmm_demo", "1"))
    assert written_hashes(version)["gate.json"] == version.tags["sha256.gate.json"]


SERVE = """
import json, sys
import mlflow
folder, alias, weeks = sys.argv[1:]
model = mlflow.pyfunc.load_model(folder)
import pandas as pd
answer = model.predict(pd.read_csv(weeks, parse_dates=["Week"]))
again = mlflow.pyfunc.load_model(alias).predict(pd.read_csv(weeks, parse_dates=["Week"]))
assert answer.equals(again)
names = [name for name in sys.modules if name.split(".")[0] == "mmm_demo"]
files = {name: sys.modules[name].__file__ for name in names}
print(json.dumps({"answer": answer["mean"].tolist(), "path": sys.path, "files": files}))
"""


@pytest.mark.slow
def test_in_a_process_of_its_own_its_old_code_does_not_stand_before_ours(model, tmp_path):
    """The code that is packed with it is first on the path, and yet the installed one is used."""
    weeks().to_csv(tmp_path / "weeks.csv", index=False)
    words = [PYTHON, "-c", SERVE, str(model), URI, str(tmp_path / "weeks.csv")]
    done = subprocess.run(words, capture_output=True, text=True, cwd=model.parent)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout.splitlines()[-1])
    for packed in map(Path, told["path"][:2]):  # of both ways to load it
        assert (packed / "mmm_demo" / "pipeline.py").is_file()
    assert told["files"]["mmm_demo.serving"] == str(SOURCE / "serving.py")
    assert all(Path(file).is_relative_to(SOURCE) for file in told["files"].values())
    assert told["answer"] == pytest.approx(list(stored("prediction.csv")["mean"]), rel=1e-12)
