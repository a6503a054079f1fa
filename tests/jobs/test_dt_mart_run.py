"""DT Mart through the whole loop, on look-alike files that a fake Kaggle sends."""

from pathlib import Path

import pytest

from lookalike import write_lookalike
from mmm_demo.jobs.explore import run_explore
from mmm_demo.jobs.main import run_main
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.store.runs import find_run

LABEL = "DT Mart look-alike"


@pytest.fixture
def kaggle(
    store: object, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_lookalike(tmp_path_factory.getbasetemp() / "dt_mart")
    monkeypatch.setattr("kagglehub.dataset_download", lambda *_, **__: str(folder))


def test_exploration_says_what_the_data_can_tell(kaggle: None, project: Path) -> None:
    experiment = load_experiment(project / "experiments" / "dt_mart.yaml")
    said: list[str] = []
    found = run_explore(experiment, project, said.append)
    assert "12 distinct spend levels" in " ".join(found.verdict)
    (page,) = (project / "outputs" / "reports").glob("exploration_dt_mart_*.html")
    assert LABEL in page.read_text("utf-8")
    run = find_run(page.stem.rsplit("_", 1)[1])
    logged = run.client.get_run(run.run_id)
    assert logged.info.status == "FINISHED"
    assert logged.data.metrics["explore.media_observations"] == 12
    assert logged.data.tags["data.label"] == LABEL
    artifacts = {item.path for item in run.client.list_artifacts(run.run_id, "data")}
    assert {"data/report.csv", "data/report.json"} <= artifacts


@pytest.mark.slow
def test_fit_passes_plans_and_is_called_a_lookalike_everywhere(kaggle: None, project: Path) -> None:
    experiment = load_experiment(project / "experiments" / "dt_mart.yaml")
    done = run_main(experiment, project, lambda _: None, lambda _: None)
    assert done.fit.report.passed
    assert done.plan.version.name == "mmm_dt_mart"
    assert done.fit.label == done.plan.label == LABEL
    run = done.fit.run.client.get_run(done.fit.run.run_id)
    assert LABEL in run.data.tags["mlflow.note.content"]
    assert LABEL in done.plan.page
    lost = done.fit.results.not_identified
    assert any(name.startswith("adstock_alpha[") for name in lost)
    assert run.data.metrics["contraction.adstock_alpha_TV_"] < 0.5
    assert "Not identified by this data" in run.data.tags["mlflow.note.content"]
