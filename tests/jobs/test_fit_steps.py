"""Before any sampling: a table that does not go on from the champion's ends the job."""

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from conftest import all_runs
from mlflow import MlflowClient

from helpers import PROJECT
from mmm_demo.jobs import fit as fit_steps
from mmm_demo.jobs import table
from mmm_demo.jobs.explore import run_explore
from mmm_demo.jobs.fit import run_fit
from mmm_demo.jobs.main import run_main
from mmm_demo.jobs.sweep import run_sweep
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.sweep import Space
from mmm_demo.sources.market import load_market
from mmm_demo.tables.continuity import ContinuityError
from versions import add_a_byte, drawn_version, run_promotion

CASES = PROJECT / "tests" / "cases"
THOUSANDS = (
    r"(?s)spend_thousands\.csv does not go on from the table of champion version 1 of market "
    r"'your_market'\n- tv: 1/1000 of what the champion was fitted on in the same 104 weeks "
    r"\(6,239,990 -> 6,240\): correct the file, or use another market\n- search: 1/1000 of"
)


def silent(_: object) -> None:
    """Say nothing."""


def case(name: str, project: Path) -> ExperimentConfig:
    """Return the experiment of a case, its table in the project."""
    shutil.copyfile(CASES / f"{name}.csv", project / f"{name}.csv")
    experiment = load_experiment(CASES / f"{name}.yaml")
    return replace(experiment, data=replace(experiment.data, path=f"{name}.csv"))


def template(project: Path, market: str = "your_market") -> ExperimentConfig:
    """Return the experiment that users begin with."""
    return replace(load_experiment(project / "experiments/your_data.yaml"), market=market)


@pytest.fixture
def champion(store: MlflowClient, project: Path) -> ExperimentConfig:
    """A market with a champion, fitted on the template's table."""
    experiment = template(project)
    table = load_market(experiment.data, experiment.model, project).table
    drawn_version(experiment, table, project)
    run_promotion(market=experiment.market)
    return experiment


def hold(experiment: ExperimentConfig, project: Path) -> tuple[tuple[str, ...], list[str]]:
    """Hold an experiment's table against the champion; return what was told and said."""
    said: list[str] = []
    data = load_market(experiment.data, experiment.model, project)
    return table.hold_to_champion(experiment, data, said.append), said


@pytest.mark.parametrize(
    "job",
    [lambda *what: run_main(*what, silent), run_fit, run_explore],
    ids=["main", "fit", "explore"],
)
def test_spend_in_thousands_is_refused_before_any_sampling(
    champion: ExperimentConfig,
    store: MlflowClient,
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    job: Callable[..., object],
) -> None:
    monkeypatch.setattr(fit_steps, "sample_prior", None)  # calling it would be another error
    before = {run.info.run_id for run in all_runs(store)}
    with pytest.raises(ContinuityError, match=THOUSANDS):
        job(case("spend_thousands", project), project, silent)
    (run,) = [run for run in all_runs(store) if run.info.run_id not in before]
    assert run.info.status == "FAILED"
    assert "gate" not in run.data.tags
    assert store.list_artifacts(run.info.run_id, "data") == []
    assert [item.version for item in store.search_model_versions("")] in (["1"], [1])
    assert not (project / "outputs").exists()


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("unit_change", r"sales: 1/1000 of what .* \(90,054,200 -> 90,054\)"),
        ("sales_times1000", r"sales: 1000 times what .* \(90,054,200 -> 90,054,200,000\)"),
    ],
)
def test_sales_in_another_unit_are_refused(
    champion: ExperimentConfig, project: Path, name: str, said: str
) -> None:
    with pytest.raises(ContinuityError, match=rf"{said}: correct the file, or use another market$"):
        hold(case(name, project), project)


def test_another_market_and_a_market_without_a_champion_hold_nothing_against_it(
    champion: ExperimentConfig, project: Path
) -> None:
    elsewhere = replace(case("spend_thousands", project), market="another")
    assert hold(elsewhere, project) == ((), [])


def test_a_version_that_is_no_champion_binds_nobody(store: MlflowClient, project: Path) -> None:
    experiment = template(project)
    table = load_market(experiment.data, experiment.model, project).table
    drawn_version(experiment, table, project)
    assert hold(case("spend_thousands", project), project) == ((), [])


def test_the_same_table_says_nothing_and_a_changed_history_is_told(
    champion: ExperimentConfig, project: Path
) -> None:
    assert hold(champion, project) == ((), [])
    table = pd.read_csv(project / champion.data.path)
    table.loc[3, "sales"] *= 2
    table[2:].to_csv(project / "later.csv", index=False)
    told, said = hold(replace(champion, data=replace(champion.data, path="later.csv")), project)
    assert told[0] == "2 weeks (2023-01-02 to 2023-01-09) of the champion's are left out"
    assert told[1].startswith("sales: history is not the same: 1 of the same 102 weeks changed")
    assert said == [f"against the champion: {line}" for line in told]


def test_what_is_told_is_on_the_run(
    champion: ExperimentConfig, store: MlflowClient, project: Path
) -> None:
    pd.read_csv(project / champion.data.path)[2:].to_csv(project / "later.csv", index=False)
    run_explore(replace(champion, data=replace(champion.data, path="later.csv")), project, silent)
    run = max(all_runs(store), key=lambda item: item.info.start_time)
    assert run.data.tags["data.against_champion"].startswith("2 weeks (2023-01-02")


def test_a_champion_that_does_not_prove_its_pass_is_told_and_stops_nobody(
    store: MlflowClient, project: Path
) -> None:
    experiment = template(project)
    table = load_market(experiment.data, experiment.model, project).table
    made = drawn_version(experiment, table, project)
    run_promotion(market=experiment.market)
    add_a_byte(made)
    told, said = hold(case("spend_thousands", project), project)
    assert len(told) == len(said) == 1
    assert "the table could not be held against the champion: champion version 1" in said[0]


def test_a_sweep_is_refused_before_its_first_trial(
    champion: ExperimentConfig, store: MlflowClient, project: Path
) -> None:
    experiment = case("spend_thousands", project)
    runs = len(all_runs(store))
    space = Space.load("experiments/sweeps/demo_carryover_season.yaml", project)
    with pytest.raises(ContinuityError, match=THOUSANDS):
        run_sweep(replace(space, base=experiment), project, silent, silent, workers=1)
    assert len(all_runs(store)) == runs
