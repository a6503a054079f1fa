"""A sweep that was killed at commit 008ef34 is gone on with: same study, same runs, nothing lost.

The trial that is left is canned (`swept`); how the rest was made says `older`.
"""

import pytest
import yaml
from mlflow import MlflowClient

from mmm_demo.settings.sweep import Space
from older import restore
from swept import LAG, canned, runs_of, sweep

DONE = 47624.76959394968  # CRPS of the trial that was done then


@pytest.fixture
def begun(store: MlflowClient, project) -> dict[str, str]:
    """The runs that were there before, by name."""
    restore(project)
    base = project / "experiments" / "kept.yaml"  # with what was the default then
    base.write_text(base.read_text().replace("sampler:\n", "sampler:\n  target_accept: 0.98\n"))
    runs = [*runs_of(store, "sweep"), *runs_of(store, "trial")]
    assert {run.info.status for run in runs} == {"RUNNING", "FINISHED"}
    return {run.info.run_name: run.info.run_id for run in runs}


@pytest.mark.slow
def test_only_what_was_left_is_done_and_in_the_runs_that_were_open(store, project, begun):
    said: list[str] = []
    with canned() as executor:
        done = sweep(Space.load("experiments/sweeps/kept.yaml", project), project, said)
    assert said[0] == "1 of 2 trials were done before"
    assert dict(executor.done) == {"kept_1": 1}
    assert list(done.trials["verdict"]) == ["passed", "passed"]
    assert list(done.trials["value"]) == [DONE, 82.0]
    assert list(done.trials[LAG]) == [4, 8]
    assert done.run.run_id == begun["sweep kept"]
    runs = [*runs_of(store, "sweep"), *runs_of(store, "trial")]
    assert {run.info.run_name: run.info.run_id for run in runs} == begun
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert runs[-1].data.tags["trial.verdict"] == "passed"


def test_another_question_is_another_sweep_and_leaves_the_old_one_alone(store, project, begun):
    file = project / "experiments" / "sweeps" / "kept.yaml"
    file.write_text(yaml.safe_dump(yaml.safe_load(file.read_text()) | {"folds": 3}))
    said: list[str] = []
    with canned() as executor:
        done = sweep(Space.load("experiments/sweeps/kept.yaml", project), project, said)
    assert said[0] == (
        f"run {begun['sweep kept'][:8]} is a sweep of this name with other data, settings or "
        "defaults of `sampler`; it stays as it is, and this one begins anew"
    )
    assert dict(executor.done) == {"kept_0": 1, "kept_1": 1}
    assert done.run.run_id not in begun.values()
    assert store.get_run(begun["sweep kept"]).info.status == "RUNNING"
    file.write_text(file.read_text().replace("folds: 3", "folds: 2"))
    with canned():
        old = sweep(Space.load("experiments/sweeps/kept.yaml", project), project)
    assert (old.run.run_id, old.trials["value"][0]) == (begun["sweep kept"], DONE)
