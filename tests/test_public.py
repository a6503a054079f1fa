"""The public face: what a notebook imports, from an experiment file to a tracked plan."""

import builtins
import inspect
import json
import re
import subprocess
from pathlib import Path

import pandas as pd
import pytest

import mmm_demo
from helpers import PROJECT, PYTHON
from mmm_demo.checks.gate import GateRefused
from mmm_demo.fits.fitted import WEEK
from mmm_demo.settings.experiment import ConfigError

SMALL = {"draws": 600, "tune": 600, "seed": 3}
CODE = "".join(path.read_text("utf-8") for path in (PROJECT / "src").rglob("*.py"))
HEAVY = {"click", "mlflow", "numpy", "pandas", "pydantic", "pymc", "pytensor", "xarray", "yaml"}


def test_every_name_is_a_function_that_its_own_docstring_explains() -> None:
    for name in mmm_demo.__all__:
        function = getattr(mmm_demo, name)
        text, signature = inspect.getdoc(function) or "", inspect.signature(function)
        for section in ("Parameters", "Returns", "Raises", "Examples"):
            assert f"\n{section}\n{'-' * len(section)}\n" in text, f"{name}: {section}"
        for parameter in signature.parameters.values():
            assert parameter.annotation is not inspect.Parameter.empty, f"{name}: {parameter}"
            named = re.escape(str(parameter).split(":")[0].split("=")[0].strip())
            told = re.search(rf"^{named}$", text.replace("\\", ""), re.MULTILINE)
            assert told, f"{name}: {parameter}"
        raised = re.search(r"\nRaises\n-+\n(.*?)\n\n", text, re.DOTALL)
        for error in re.findall(r"^\w.*$", raised[1] if raised else "", re.MULTILINE):
            for word in error.split(", "):
                known = hasattr(builtins, word) or f"class {word}(" in CODE
                assert known, f"{name} raises {word}, which is no error"
        assert signature.return_annotation is not inspect.Signature.empty, name
        assert f">>> from mmm_demo import {name}" in text or f", {name}\n" in text, name


def test_the_list_of_names_is_what_there_is() -> None:
    assert mmm_demo.__all__ == sorted(mmm_demo.__all__)
    assert {*dir(mmm_demo)} == {*mmm_demo.__all__, "__version__"}
    public = {
        name
        for name, value in vars(mmm_demo).items()
        if inspect.isfunction(value) and not name.startswith("_")
    }
    assert public == set(mmm_demo.__all__)


def test_importing_the_package_loads_nothing_else() -> None:
    """MLflow does so in every process, by the entry point of its stores."""
    script = "import json, sys, mmm_demo; print(json.dumps(sorted(sys.modules)))"
    done = subprocess.run([PYTHON, "-c", script], capture_output=True, text=True, cwd=PROJECT)
    loaded = set(json.loads(done.stdout))
    assert "mmm_demo" in loaded
    assert not {name.partition(".")[0] for name in loaded} & HEAVY
    assert not [name for name in loaded if name.startswith("mmm_demo.")]


def test_an_experiment_is_read_from_anywhere_in_the_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "notebooks").mkdir()
    monkeypatch.chdir(project / "notebooks")
    experiment = mmm_demo.load_experiment(sampler={"draws": 700})
    assert (experiment.name, experiment.sampler.draws) == ("demo", 700)
    assert mmm_demo.load_experiment(project / "experiments" / "demo.yaml").sampler.draws != 700
    with pytest.raises(ConfigError, match=r"sampler\.drawz"):
        mmm_demo.load_experiment(sampler={"drawz": 700})
    for given in (experiment, "experiments/demo.yaml"):
        assert len(mmm_demo.read_table(given).table) == 156


def test_outside_of_the_project_nothing_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for call in (
        mmm_demo.load_experiment,
        mmm_demo.load_champion,
        mmm_demo.promote,
        mmm_demo.plan,
        lambda: mmm_demo.gather_evidence("1a2b3c4d"),
        lambda: mmm_demo.track("1a2b3c4d", "weeks.csv"),
    ):
        with pytest.raises(FileNotFoundError, match="is not inside the project"):
            call()
    assert not list(tmp_path.iterdir())


def test_a_plan_file_takes_no_settings_beside_it(project: Path) -> None:
    with pytest.raises(ValueError, match="says everything itself; drop weeks, margin"):
        mmm_demo.plan("experiments/plans/demo_quarter.yaml", weeks=4, margin=0.4)


@pytest.mark.slow
def test_from_a_table_to_a_tracked_plan(
    store, project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Each step takes what the step before returned."""
    experiment = mmm_demo.load_experiment(sampler=SMALL)
    assert mmm_demo.explore(experiment, say=None).verdict
    done = mmm_demo.fit(experiment)
    assert "> " not in capsys.readouterr().out.partition("data: simulated market")[0]
    assert done.report.passed and done.checks["verdict"].eq("passed").sum() >= 10
    assert done.roas["channel"].tolist() == ["TV", "Radio", "Search", "Social"]
    assert done._repr_markdown_().startswith("**Gate passed: ")
    with pytest.raises(ValueError, match="a fit has one version of its own"):
        mmm_demo.promote(done, 7)
    promotion = mmm_demo.promote(done, say=None)
    assert (promotion.name, promotion.version, promotion.former) == ("mmm_demo", 1, None)
    champion = mmm_demo.load_champion("demo")
    pd.testing.assert_series_equal(
        champion.fitted.roas().median("sample").to_series(),
        done.fitted.roas().median("sample").to_series(),
    )
    made = mmm_demo.plan("demo", weeks=4, say=None)
    assert made.table["planned"].sum() == pytest.approx(made.schedule["spend"].sum())
    assert made._repr_markdown_().startswith("**Plan of mmm_demo version 1")
    assert "gate passed" not in capsys.readouterr().out  # they were silent
    quarter = mmm_demo.plan("experiments/plans/demo_quarter.yaml", say=None)
    assert quarter.plans[0].scenario.name == "same_budget"

    weekly = champion.fitted.table
    came = weekly.tail(4).copy()
    came["Week"] = pd.date_range(made.plan.start, periods=4, freq=WEEK)
    came.to_csv(project / "came.csv", index=False)
    tracked = mmm_demo.track(made, "came.csv", say=None)
    assert len(tracked.outcome.weeks) == 4
    with pytest.raises(FileNotFoundError, match="no file"):
        mmm_demo.track(made, "nowhere.csv", say=None)


def test_a_fit_that_is_refused_returns_nothing_and_says_where_it_is(store, project: Path) -> None:
    experiment = mmm_demo.load_experiment(
        "experiments/demo_refused.yaml",
        model={
            "priors": {
                "intercept": {"distribution": "Normal", "mu": 0, "sigma": 20, "rationale": "a test"}
            }
        },
    )
    with pytest.raises(GateRefused, match="prior_extreme_share") as refused:
        mmm_demo.fit(experiment, say=None)
    assert refused.value.report is not None and not refused.value.report.passed
    (note,) = refused.value.__notes__
    (run,) = store.search_runs([item.experiment_id for item in store.search_experiments()])
    assert run.info.run_id in note and "No result of it may be used." in note
