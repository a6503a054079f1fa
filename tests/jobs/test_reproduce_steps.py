"""A run fitted again: really, from its artifacts alone, and with each circumstance changed."""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from zlib import adler32

import pandas as pd
import pytest
import xarray as xr
from conftest import Demo, all_runs
from mlflow import MlflowClient
from mlflow.entities import Run as StoredRun

from helpers import convergent_trace, good_report, make_experiment, small_model
from mmm_demo.checks import proof
from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence.reproduce import ANOTHER, EQUAL, SAME, Change, Reproduction
from mmm_demo.fits.environment import FAST, STRICT, environment, environment_params
from mmm_demo.fits.ladder import Attempt, attempt_params
from mmm_demo.fits.sampler import Sampling
from mmm_demo.fits.trace import WEEKLY_TABLE, load_trace, save_trace, table_sha256
from mmm_demo.jobs import reproduce as reproduce_steps
from mmm_demo.jobs.reproduce import (
    ARTIFACT,
    NotReproducibleError,
    Source,
    differences,
    run_reproduce,
)
from mmm_demo.settings.experiment import ExperimentConfig, ModelConfig, SamplerConfig
from mmm_demo.settings.experiment_file import flat_params
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.store.runs import RunNotFoundError, open_run

CSV = {"source": "csv", "path": "market.csv"}
EXPERIMENT = make_experiment(data=CSV, model=small_model(date_column="Week", target_column="Sales"))
MakeRun = Callable[..., str]
FIRST, KEPT = Attempt(0.9), Attempt(0.99, "diag", longer=3)


def silent(_: object) -> None:
    """Say nothing."""


def market() -> pd.DataFrame:
    table = simulate_market(1, 104).table
    model = EXPERIMENT.model
    columns = [model.date_column, model.target_column, *model.channel_columns]
    return table[[*columns, *model.control_columns]]


def sampled(
    config: ModelConfig,
    table: pd.DataFrame,
    sampler: SamplerConfig,
    attempt: Attempt,
    *,
    lift_tests: pd.DataFrame | None = None,
    watch: object = None,
) -> Sampling:
    """Stand in for the sampler: other draws for any other seed, table or attempt."""
    seed = [sampler.seed, adler32(str(attempt).encode()), int(table_sha256(table)[:6], 16)]
    trace = convergent_trace(config, seed=sum(seed))
    trace[WEEKLY_TABLE] = xr.DataTree(xr.Dataset.from_dataframe(table.rename_axis("row")))
    return Sampling(trace, 0.1, "warm")


@pytest.fixture
def sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reproduce_steps, "sample_posterior", sampled)


@pytest.fixture
def fit_run(store: MlflowClient, project: Path, tmp_path: Path, sampler: None) -> MakeRun:
    """Make the run of a fit of two attempts, as the pipeline does; `edit` changes its files."""
    market().to_csv(project / "market.csv", index=False)

    def make(
        experiment: ExperimentConfig = EXPERIMENT,
        edit: Callable[[Path], None] = silent,
        tags: Mapping[str, str] | None = None,
        kind: str = "fit",
        report: GateReport | None = None,
        files: tuple[str, ...] = proof.FILES,
    ) -> str:
        with open_run("a fit", kind) as run:
            folder = tmp_path / run.run_id
            folder.mkdir()
            table = market()
            fitted = sampled(experiment.model, table, experiment.sampler, KEPT)
            save_trace(fitted.trace, folder / proof.TRACE)
            proof.write_config(folder, experiment)
            proof.write_gate(folder, report or good_report(), run.run_id, table_sha256(table))
            edit(folder)
            told = flat_params(experiment) | environment_params()
            told |= {"data.sha256": table_sha256(table)}
            told |= attempt_params(1, FIRST) | attempt_params(2, KEPT)
            run.log(
                params=told,
                tags={"attempts": 2, "compile_cache": "warm"} | dict(tags or {}),
            )
            for name in files:
                run.log_file(folder / name)
        return run.run_id

    return make


def reproduce(run_id: str) -> Reproduction:
    return run_reproduce(run_id, Path.cwd(), silent)


def names(done: Reproduction) -> set[str]:
    """Return what could explain other draws, but for code that may be uncommitted."""
    return {item.what for item in done.reasons} - {"code"}


def lift_tests() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "channel": ["TV"],
            "date": pd.to_datetime(["2024-01-01"]),
            "x": [10.0],
            "delta_x": [5.0],
            "delta_y": [20.0],
            "sigma": [4.0],
        }
    )


def told(done: Reproduction) -> dict[str, tuple[str, str]]:
    return {item.what: (item.then, item.now) for item in done.differences}


def only(client: MlflowClient, kind: str) -> StoredRun:
    (run,) = [run for run in all_runs(client) if run.data.tags["mmm.kind"] == kind]
    return run


def rewrite_config(folder: Path, experiment: ExperimentConfig) -> None:
    (folder / proof.CONFIG).unlink()
    proof.write_config(folder, experiment)


def rewrite_trace(folder: Path, change: Callable[[xr.DataTree], None]) -> None:
    trace = load_trace(folder / proof.TRACE)
    change(trace)
    (folder / proof.TRACE).unlink()
    save_trace(trace, folder / proof.TRACE)


@pytest.mark.slow
def test_the_main_jobs_fit_is_equal_bit_for_bit_in_another_process(
    demo: Demo, store: MlflowClient, project: Path
):
    """The real thing: the run's artifacts alone, in a store that knows nothing else."""
    source = demo.run("fit")
    with open_run("a copy", "fit") as run:
        run.log(params=source.data.params)
        kept = ("attempts", "compile_cache", "mlflow.source.git.commit", "git.dirty")
        run.log(tags={name: source.data.tags[name] for name in kept if name in source.data.tags})
        for name in proof.FILES:
            run.log_file(demo.files / name)
    done = reproduce(run.run_id[:8])
    assert done.result == EQUAL, done.sentences()
    assert set(told(done)) <= {"compile cache", "code"}


def test_equal_draws_are_a_run_of_their_own_and_leave_the_fit_as_it_was(
    fit_run: MakeRun, store: MlflowClient
):
    run_id = fit_run()
    before = store.get_run(run_id).to_dictionary()
    done = reproduce(run_id)
    assert done.result == EQUAL
    assert store.get_run(run_id).to_dictionary() == before
    run = only(store, "reproduction")
    assert run.info.status == "FINISHED"
    assert run.data.params["reproduce.fit_run"] == run_id
    assert run.data.params["reproduce.result"] == EQUAL
    assert run.data.params["reproduce.reasons"] == "none"
    assert run.data.tags["reproduced"] == "true"
    assert "equal bit for bit" in run.data.tags["mlflow.note.content"]
    stored = json.loads(Path(store.download_artifacts(run.info.run_id, ARTIFACT)).read_text())
    assert stored == done.to_dict()


def test_a_refused_fit_without_a_verdict_is_fitted_again_too(fit_run: MakeRun):
    refused = fit_run(report=good_report(rhat_max=1.2), files=(proof.TRACE, proof.CONFIG))
    assert reproduce(refused).result == EQUAL


def test_another_seed_is_named(fit_run: MakeRun):
    other = replace(EXPERIMENT, sampler=replace(EXPERIMENT.sampler, seed=99))
    done = reproduce(fit_run(edit=lambda folder: rewrite_config(folder, other)))
    assert done.result == SAME
    assert names(done) == {"config.json", "sampler.seed"}
    assert told(done)["sampler.seed"] == (str(EXPERIMENT.sampler.seed), "99")


def test_changed_draws_are_another_posterior_and_named(fit_run: MakeRun):
    def change(trace: xr.DataTree) -> None:
        trace["posterior"]["y_sigma"] += 2.0

    done = reproduce(fit_run(edit=lambda folder: rewrite_trace(folder, change)))
    assert done.result == ANOTHER
    assert names(done) == {"trace.nc"}
    assert not done.reproduced


def source(**changes: Any) -> Source:
    """Return a run as it is read, of which nothing changed since; but for what is asked."""
    table = market()
    trace = sampled(EXPERIMENT.model, table, EXPERIMENT.sampler, FIRST).trace
    params = {name: str(value) for name, value in flat_params(EXPERIMENT).items()}
    params |= environment_params() | {"data.sha256": table_sha256(table)}
    hashes = {proof.TRACE: "a" * 64, proof.CONFIG: "b" * 64}
    plain = Source(
        "a run",
        params,
        {"compile_cache": "warm"},
        EXPERIMENT,
        trace,
        table,
        None,
        FIRST,
        hashes,
        hashes,
    )
    for name in ("params", "tags", "hashes"):
        changes[name] = {**getattr(plain, name), **changes.get(name, {})}
    return replace(plain, **changes)


def found(of: Source, root: Path, cache: str = "warm") -> dict[str, Change]:
    """Return what differs, by name; a market's file lies in the folder unless it was changed."""
    sampling = Sampling(of.trace, 0.1, cache)
    return {item.what: item for item in differences(of, sampling, root)}


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(reproduce_steps, "git_tags", dict)
    market().to_csv(tmp_path / "market.csv", index=False)
    return tmp_path


def test_nothing_differs_where_nothing_changed(root: Path):
    assert found(source(), root) == {}


def test_another_prior_is_named(root: Path):
    priors = dict(EXPERIMENT.model.priors)
    wide = {"mu": 0.1, "sigma": 3.0}
    priors["intercept"] = replace(priors["intercept"], parameters=wide, rationale="a test")
    other = replace(EXPERIMENT, model=replace(EXPERIMENT.model, priors=priors))
    told = found(source(experiment=other), root)
    assert set(told) == {"prior.intercept"}
    assert told["prior.intercept"].now == "Normal(mu=0.1, sigma=3)"


def test_a_changed_table_is_named(root: Path):
    table = market()
    table.loc[3, "TV"] += 1
    told = found(source(table=table), root)
    assert set(told) == {"weekly table of trace.nc"}
    assert told["weekly table of trace.nc"].explains


@pytest.mark.parametrize(("then", "now"), [(True, False), (False, True), (True, True)])
def test_changed_lift_tests_are_named(root: Path, then: bool, now: bool):
    tests = lift_tests()
    params = {"data.lift_tests.sha256": "c" * 64} if then else {}
    told = found(source(params=params, lift_tests=tests if now else None), root)
    assert "lift tests of trace.nc" in told


def test_another_file_than_the_verdict_was_given_on_is_named(root: Path):
    told = found(source(hashes={proof.TRACE: "d" * 64}), root)
    assert str(told["trace.nc"]) == f"trace.nc: {'a' * 12} then, {'d' * 12} now"


def test_a_run_from_before_the_level_says_that_it_moved_otherwise(root: Path):
    of = source()
    older = {name: value for name, value in of.params.items() if "coordinates" not in name}
    (told,) = found(replace(of, params=older), root).values()
    assert str(told) == "coordinates: intercept then, level now"
    assert told.explains


def test_another_version_or_machine_is_named(root: Path):
    then = {"environment.numba": "0.1", "environment.processor": "arm64 apple-m1"}
    told = found(source(params=then), root)
    assert set(told) == {"numba", "processor"}
    assert (told["numba"].then, told["numba"].now) == ("0.1", environment()["numba"])
    assert told["processor"].explains


def test_a_run_from_before_versions_were_recorded_says_so(root: Path):
    of = source()
    bare = {name: value for name, value in of.params.items() if "environment" not in name}
    told = found(replace(of, params=bare), root)
    assert set(told) == {"versions and machine"}
    assert not told["versions and machine"].explains


@pytest.mark.parametrize(
    ("then", "now", "explains"), [(STRICT, False, False), (FAST, True, True), (FAST, False, True)]
)
@pytest.mark.parametrize("cold", ["then", "now"])
def test_a_cold_compile_cache_explains_only_where_arithmetic_is_not_strict(
    root: Path, monkeypatch: pytest.MonkeyPatch, then: str, now: bool, explains: bool, cold: str
):
    monkeypatch.setattr("pytensor.config.numba__fastmath", now)
    cache = {"then": "warm", "now": "warm"} | {cold: "cold"}
    params, tags = {"environment.arithmetic": then}, {"compile_cache": cache["then"]}
    told = found(source(params=params, tags=tags), root, cache["now"])
    assert told["compile cache"].explains == explains


def test_a_source_that_changed_since_is_told_and_explains_nothing(root: Path):
    market().assign(TV=market()["TV"] + 1).to_csv(root / "market.csv", index=False)
    told = found(source(), root)
    assert set(told) == {"data at the source"}
    assert not told["data at the source"].explains
    assert told["data at the source"].then == table_sha256(market())[:12]


@pytest.mark.parametrize("text", ["", "Week,Sales\n2024-01-01,x\n"], ids=["gone", "broken"])
def test_a_source_that_cannot_be_read_any_more_is_told(root: Path, text: str):
    (root / "market.csv").unlink()
    if text:
        (root / "market.csv").write_text(text)
    told = found(source(), root)
    assert told["data at the source"].now.startswith("cannot be read: ")
    assert not told["data at the source"].explains


def test_data_that_must_be_downloaded_are_not_looked_up(
    root: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(reproduce_steps, "load_market", None)  # a call would fail
    model = small_model(date_column="Week", target_column="Sales")
    other = make_experiment(data={"source": "kaggle"}, model=model)
    assert "not looked up" in found(source(experiment=other), root)["data at the source"].now


def test_other_code_is_named(root: Path, monkeypatch: pytest.MonkeyPatch):
    now = {"mlflow.source.git.commit": "b" * 40, "git.dirty": "false"}
    monkeypatch.setattr(reproduce_steps, "git_tags", lambda: now)
    then = {"mlflow.source.git.commit": "a" * 40, "git.dirty": "true"}
    code = found(source(tags=then), root)["code"]
    assert str(code) == f"code: {'a' * 12} with changes then, {'b' * 12} now"
    assert code.explains
    assert "code" not in found(source(tags=now), root)
    assert not found(source(), root)["code"].explains  # not recorded then


@pytest.mark.parametrize("kind", ["plan", "promotion"])
def test_only_fits_are_fitted_again(fit_run: MakeRun, store: MlflowClient, kind: str):
    run_id = fit_run(kind=kind)
    with pytest.raises(NotReproducibleError, match=f"is of kind {kind}; only fits"):
        reproduce(run_id)
    assert len(all_runs(store)) == 1


@pytest.mark.parametrize("missing", [proof.TRACE, proof.CONFIG])
def test_a_fit_without_its_files_is_refused(fit_run: MakeRun, store: MlflowClient, missing: str):
    run_id = fit_run(files=tuple({proof.TRACE, proof.CONFIG} - {missing}))
    with pytest.raises(NotReproducibleError, match=f"no artifact {missing}: it ended before"):
        reproduce(run_id)
    assert len(all_runs(store)) == 1


def test_a_fit_that_does_not_say_which_attempt_it_kept_is_refused(fit_run: MakeRun):
    with pytest.raises(NotReproducibleError, match=r"does not say how .*attempt_3: .*missing"):
        reproduce(fit_run(tags={"attempts": "3"}))


def test_an_unknown_run_is_refused(store: MlflowClient):
    with pytest.raises(RunNotFoundError, match="0 runs start with 'abcdef12'"):
        reproduce("abcdef12")
