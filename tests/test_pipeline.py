"""The jobs as a user starts them: in a copy of the project, from the command line, on real data."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pandas as pd
import pytest
import yaml
from mlflow import MlflowClient
from mlflow.entities import Run

from conftest import copy_project, enter_store
from helpers import PROJECT, PYTHON
from mmm_demo import fit_steps
from mmm_demo.bundle import FILES, BundleRefused
from mmm_demo.config import (
    BudgetConfig,
    ExperimentConfig,
    ModelConfig,
    SamplerConfig,
    load_experiment,
)
from mmm_demo.contract import DataError
from mmm_demo.fit_steps import by_channel
from mmm_demo.gate import GateFile, GateRefused
from mmm_demo.pipeline import run_fit, run_main, run_optimize, run_promote, run_report
from mmm_demo.trace import load_trace, table_sha256
from mmm_demo.tracking import open_run

CHANNELS = ("TV", "Radio", "Search", "Social")
EXAMPLE_DATA = PROJECT.parent / "shared" / "data" / "pymc_marketing"
OUTPUT_NAMES = (
    r"models/mmm_fit_\d{4}-\d\d-\d\d_[a-z0-9_]+_{run}\.nc",
    r"plots/diagnostics/[a-z0-9_]+_{run}\.png",
    r"plots/contributions/[a-z0-9_]+_{run}\.png",
    r"tables/[a-z0-9_]+_{run}_\d{4}-\d\d-\d\d\.csv",
    r"optimization/budget_scenario_[a-z0-9_]+_{run}\.csv",
)
LIBRARY_DEFAULTS = {
    "intercept": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "saturation_beta": {"distribution": "HalfNormal", "sigma": 2},
    "gamma_control": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "gamma_fourier": {"distribution": "Laplace", "mu": 0, "b": 1},
}


def silent(_: str) -> None:
    """Say nothing."""


def all_runs(client: MlflowClient) -> list[Run]:
    return client.search_runs([item.experiment_id for item in client.search_experiments()])


def only_run(client: MlflowClient) -> Run:
    (run,) = all_runs(client)
    return run


def artifacts(client: MlflowClient, run_id: str, folder: str = "") -> set[str]:
    """Return the paths of all files of a run."""
    found: set[str] = set()
    for item in client.list_artifacts(run_id, folder):
        found |= artifacts(client, run_id, item.path) if item.is_dir else {item.path}
    return found


def fingerprints(folder: Path) -> dict[str, str]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def assert_output_names(root: Path, runs: set[str]) -> None:
    """Check that every output follows the naming convention and ends in one of the runs."""
    marks = "(?:" + "|".join(run[:8] for run in runs) + ")"
    patterns = [name.replace("{run}", marks) for name in OUTPUT_NAMES]
    made = [path for path in (root / "outputs").rglob("*") if path.is_file()]
    names = [path.relative_to(root / "outputs").as_posix() for path in made]
    odd = [name for name in names if not any(re.fullmatch(item, name) for item in patterns)]
    assert not odd
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in names), pattern


# One real `mlflow run` of the main job, then a refused fit, in one copy of the project


@dataclass(frozen=True)
class Shell:
    """A finished command in a copy of the project."""

    root: Path
    code: int
    out: str
    err: str

    @property
    def client(self) -> MlflowClient:
        uri = f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)

    def run(self, kind: str, experiment: str | None = None) -> Run:
        """Return the one run of a kind, for fits of an experiment."""
        found = [run for run in all_runs(self.client) if run.data.tags["mmm.kind"] == kind]
        (run,) = [run for run in found if experiment in (None, run.data.tags["experiment"])]
        return run


def run_command(root: Path, environment: dict[str, str], *words: str) -> Shell:
    done = subprocess.run(
        words, cwd=root, env=environment, capture_output=True, text=True, check=False
    )
    return Shell(root, done.returncode, done.stdout, done.stderr)


@pytest.fixture(scope="module")
def main_job(tmp_path_factory, user_environment) -> Shell:
    """`mlflow run . --env-manager local`, with no setting at all, in a copy of the project."""
    root = copy_project(tmp_path_factory.mktemp("main") / "project")
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(PROJECT / "src", root / "src", ignore=ignored)
    words = (PYTHON, "-m", "mlflow", "run", ".", "--env-manager", "local")
    return run_command(root, user_environment, *words)


@pytest.fixture(scope="module")
def before_refusal(main_job) -> dict[str, str]:
    """All files of the main job, before the refused fit runs in the same project."""
    made = fingerprints(main_job.root / "outputs") | fingerprints(main_job.root / "mlruns")
    return {path: digest for path, digest in made.items() if "mlflow.db" not in path}


@pytest.fixture(scope="module")
def refused_job(main_job, before_refusal, user_environment) -> Shell:
    """The command line on the experiment that fails on purpose, after the main job."""
    words = (PYTHON, "-m", "mmm_demo.cli", "fit", "--experiment", "experiments/demo_refused.yaml")
    return run_command(main_job.root, user_environment, *words)


def test_the_main_job_succeeds_and_prints_its_summary(main_job):
    assert main_job.code == 0, main_job.out + main_job.err
    for text in ("Gate: passed", "Incremental ROAS", "Expected uplift", "mmm-demo ui", *CHANNELS):
        assert text in main_job.out, text
    assert "Traceback" not in main_job.err
    assert "Warning" not in main_job.err


def test_the_main_job_makes_exactly_three_finished_runs(main_job):
    runs = all_runs(main_job.client)
    assert sorted(run.data.tags["mmm.kind"] for run in runs) == ["fit", "plan", "promotion"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    fit = main_job.run("fit", "demo")
    # The run that `mlflow run` opened was adopted: there is no empty twin of it.
    assert fit.data.tags["mlflow.source.type"] == "PROJECT"
    assert fit.data.tags["mlflow.project.entryPoint"] == "main"
    assert "mlflow.parentRunId" not in fit.data.tags
    for kind in ("promotion", "plan"):
        child = main_job.run(kind)
        assert child.data.tags["mlflow.parentRunId"] == fit.info.run_id


def test_everything_lies_in_one_experiment_under_the_projects_mlruns(main_job):
    client, root = main_job.client, main_job.root
    used = {run.info.experiment_id for run in all_runs(client)}
    assert [client.get_experiment(item).name for item in used] == ["mmm_demo"]
    for run in all_runs(client):
        assert Path(urlparse(run.info.artifact_uri).path).is_relative_to(root / "mlruns")
    (model,) = client.search_model_versions("name = 'mmm_demo'")
    logged = client.get_logged_model(model.source.removeprefix("models:/"))
    assert Path(urlparse(logged.artifact_location).path).is_relative_to(root / "mlruns")
    assert logged.experiment_id in used
    assert not list(root.rglob("mlflow.db-journal"))
    assert [path.relative_to(root).as_posix() for path in root.rglob("mlflow.db")] == [
        "mlruns/mlflow.db"
    ]


def test_the_fit_logs_what_one_wants_to_compare(main_job):
    fit = main_job.run("fit", "demo")
    experiment = load_experiment(main_job.root / "experiments" / "demo.yaml")
    params, metrics, tags = fit.data.params, fit.data.metrics, fit.data.tags
    assert params["model.adstock.max_lag"] == "8"
    assert params["prior.saturation_beta"] == str(experiment.model.priors["saturation_beta"])
    assert params["sampler.draws"] == str(SamplerConfig().draws)
    assert 1.0 <= metrics["gate.rhat_max"] < 1.01
    assert metrics["gate.ess_bulk_min"] > 400
    assert metrics["gate.ess_tail_min"] > 400
    assert metrics["gate.divergences"] == 0
    assert 0 < metrics["predictive.mape"] < 0.2
    assert 0.88 < metrics["predictive.coverage_94"] <= 1
    assert metrics["seconds.sampling"] > 0
    assert all(metrics[f"roas.{channel}"] > 0 for channel in CHANNELS)
    assert (tags["gate"], tags["market"], tags["experiment"]) == ("passed", "demo", "demo")
    assert tags["experiment.fingerprint"] == experiment.fingerprint
    assert tags["compile_cache"] in ("warm", "cold")
    assert "passed" in tags["mlflow.note.content"]
    assert not [key for key in tags if "git" in key]  # the copy is no repository
    (given,) = fit.inputs.dataset_inputs
    hashes = {tag.key: tag.value for tag in given.tags}
    assert hashes["sha256"] == params["data.sha256"]


def test_the_artifacts_of_the_fit_are_complete_and_agree(main_job, tmp_path):
    fit = main_job.run("fit", "demo")
    client, run_id = main_job.client, fit.info.run_id
    found = artifacts(client, run_id)
    assert {"experiment.yaml", "summary.md", "data/weekly_table.csv", *FILES} <= found
    diagnostics = ("prior_predictive", "convergence_trace", "convergence_rank")
    diagnostics += ("convergence_forest", "convergence_energy")
    diagnostics += ("posterior_predictive", "posterior_residuals")
    assert {f"plots/diagnostics/{name}.png" for name in diagnostics} <= found
    for channel in ("tv", "radio", "search", "social"):
        for plot in ("contribution", "adstock", "saturation"):
            assert f"plots/contributions/{channel}_{plot}.png" in found
    for name in ("roas", "channel_shares", "contributions", "adstock", "saturation", "truth"):
        assert f"tables/{name}_demo.csv" in found

    def read(name: str) -> Path:
        return Path(client.download_artifacts(run_id, name, str(tmp_path)))

    assert load_experiment(read("experiment.yaml")) == load_experiment(
        main_job.root / "experiments" / "demo.yaml"
    )
    gate = GateFile.from_json(read("gate.json").read_text())
    assert gate.report.passed
    assert gate.run_id == run_id
    weekly = pd.read_csv(read("data/weekly_table.csv"), parse_dates=["Week"])
    assert table_sha256(weekly) == gate.data_sha256 == fit.data.params["data.sha256"]
    assert load_trace(read("trace.nc"))["posterior"].sizes["chain"] == 4
    assert "budget" in read("summary.md").read_text().lower()


def test_the_plan_names_the_version_it_rests_on(main_job):
    plan, fit = main_job.run("plan"), main_job.run("fit", "demo")
    client = main_job.client
    version = client.get_model_version_by_alias("mmm_demo", "champion")
    assert version.run_id == fit.info.run_id == plan.data.params["plan.fit_run"]
    assert plan.data.params["plan.model_version"] == str(version.version) == "1"
    (used,) = client.get_run(plan.info.run_id).inputs.model_inputs
    assert used.model_id == version.source.removeprefix("models:/")
    planned = [plan.data.metrics[f"plan.planned.{channel}"] for channel in CHANNELS]
    assert sum(planned) == pytest.approx(plan.data.metrics["plan.total_budget"])
    assert plan.data.metrics["plan.uplift_mean"] > 0
    assert "plan/budget_scenario.csv" in artifacts(client, plan.info.run_id)


def test_outputs_follow_the_naming_convention_and_carry_their_run(main_job):
    made = {run.info.run_id for run in (main_job.run("plan"), main_job.run("fit", "demo"))}
    assert_output_names(main_job.root, made)


def test_a_refused_fit_exits_with_3_and_says_why(main_job, refused_job):
    assert refused_job.code == 3, refused_job.out + refused_job.err
    assert "Refused" in refused_job.err
    assert "ess_bulk_min" in refused_job.err
    assert "raise draws" in refused_job.err
    assert "Traceback" not in refused_job.err
    assert "ROAS" not in refused_job.out + refused_job.err


def test_a_refused_fit_is_a_run_with_everything_measured(refused_job):
    run = refused_job.run("fit", "demo_refused")
    assert run.info.status == "FAILED"
    assert run.data.tags["gate"] == "failed"
    assert run.data.metrics["gate.ess_bulk_min"] < 400
    assert "Refused" in run.data.tags["mlflow.note.content"]
    found = artifacts(refused_job.client, run.info.run_id)
    assert {"experiment.yaml", *FILES} <= found
    plots = ("trace", "rank", "forest", "energy")
    assert {f"plots/diagnostics/convergence_{name}.png" for name in plots} <= found
    # It tried once more, with smaller steps, and both attempts are on record.
    assert run.data.tags["attempts"] == "2"
    assert run.data.params["sampler.attempt_1.target_accept"] == "0.98"
    assert run.data.params["sampler.attempt_2.target_accept"] == "0.99"
    assert {f"attempts/gate_attempt_{number}.json" for number in (1, 2)} <= found


def test_a_refused_fit_is_never_interpreted(refused_job):
    run = refused_job.run("fit", "demo_refused")
    read = ("roas", "share", "truth", "predictive", "plan", "decomposition", "contraction")
    assert not [name for name in run.data.metrics if name.startswith(read)]
    found = artifacts(refused_job.client, run.info.run_id)
    assert not [name for name in found if name.startswith(("tables", "plots/contributions"))]
    assert not [name for name in found if "posterior" in name]
    mark = run.info.run_id[:8]
    written = [path.name for path in (refused_job.root / "outputs").rglob(f"*{mark}*")]
    assert not [name for name in written if name.endswith(".csv")]


def test_a_refused_fit_makes_no_version_and_moves_no_champion(main_job, refused_job):
    run_id = refused_job.run("fit", "demo_refused").info.run_id
    versions = refused_job.client.search_model_versions("name = 'mmm_demo'")
    assert len(versions) == 1
    assert run_id not in {version.run_id for version in versions}
    champion = refused_job.client.get_model_version_by_alias("mmm_demo", "champion")
    assert int(champion.version) == 1


def test_a_second_job_overwrites_nothing_of_the_first(before_refusal, refused_job):
    now = fingerprints(refused_job.root / "outputs") | fingerprints(refused_job.root / "mlruns")
    assert before_refusal.items() <= now.items()
    assert len(now) > len(before_refusal)


def test_no_run_is_left_running(refused_job):
    assert "RUNNING" not in {run.info.status for run in all_runs(refused_job.client)}
    assert len(all_runs(refused_job.client)) == 4


# Reproducibility


SAMPLE = """
import sys
from pathlib import Path
from mmm_demo.config import load_experiment
from mmm_demo.model import sample_posterior
from mmm_demo.simulate import simulate_market
from mmm_demo.trace import save_trace

experiment = load_experiment(sys.argv[1])
table = simulate_market(experiment.data.seed, experiment.data.weeks).table
sampler = experiment.sampler
done = sample_posterior(
    experiment.model, table, sampler, target_accept=sampler.target_accept, progress=False
)
save_trace(done.trace, Path(sys.argv[2]))
print(done.compile_cache)
"""


def draws_sha256(trace: Path) -> str:
    digest = hashlib.sha256()
    for name, values in sorted(load_trace(trace)["posterior"].data_vars.items()):
        digest.update(name.encode() + values.to_numpy().tobytes())
    return digest.hexdigest()


def test_the_same_seed_gives_the_same_draws_in_two_processes(
    demo, main_job, user_environment, tmp_path
):
    # This process and the main job sampled the same experiment. Only a warm compile cache makes
    # the promise; where one of the two had to compile, a third process takes its place.
    fit = main_job.run("fit", "demo")
    warm = {}
    if demo.client.get_run(demo.result.fit.run.run_id).data.tags["compile_cache"] == "warm":
        warm["this process"] = draws_sha256(demo.files / "trace.nc")
    if fit.data.tags["compile_cache"] == "warm":
        stored = main_job.client.download_artifacts(fit.info.run_id, "trace.nc", str(tmp_path))
        warm["main job"] = draws_sha256(Path(stored))
    for attempt in range(3):
        if len(warm) >= 2:
            break
        trace = tmp_path / f"attempt_{attempt}.nc"
        experiment = demo.root / "experiments" / "demo.yaml"
        done = run_command(
            tmp_path, user_environment, PYTHON, "-c", SAMPLE, str(experiment), str(trace)
        )
        assert done.code == 0, done.err
        if done.out.split()[-1] == "warm":
            warm[f"process {attempt}"] = draws_sha256(trace)
    assert len(warm) >= 2, "no two processes found the compile cache warm"
    assert len(set(warm.values())) == 1, warm


# Jobs on the versions of the shared fit


def test_a_champion_that_was_tampered_with_gets_no_plan(make_version, store, project):
    version = make_version()
    run_promote("demo", None, "a test", False, silent)
    uri = store.get_model_version_download_uri(version.name, version.version)
    gate = Path(urlparse(uri).path) / "data" / "bundle" / "gate.json"
    gate.write_text(gate.read_text() + " ")
    with pytest.raises(BundleRefused, match=r"check 'bytes of gate.json' failed"):
        run_optimize("demo", {}, project, silent)
    (plan,) = [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "plan"]
    assert plan.info.status == "FAILED"
    assert not [name for name in plan.data.metrics if name.startswith("plan.")]
    assert not list((project / "outputs").rglob("*.csv"))


def test_a_champion_plans_what_is_asked_for(make_version, store, project):
    make_version()
    run_promote("demo", None, "a test", False, silent)
    done = run_optimize("demo", {"weeks": 4, "total_budget": 600_000.0}, project, silent)
    assert done.plan.weeks == 4
    assert pd.read_csv(done.file)["planned"].sum() == pytest.approx(600_000.0)
    assert done.file.name == f"budget_scenario_demo_{done.run.run_id[:8]}.csv"
    assert store.get_run(done.run.run_id).data.params["plan.weeks"] == "4"


def test_a_budget_that_cannot_be_planned_leaves_a_failed_run_with_its_reason(
    make_version, store, project
):
    make_version()
    run_promote("demo", None, "a test", False, silent)
    with pytest.raises(ValueError, match="no plan spends 1 in 13 weeks"):
        run_optimize("demo", {"total_budget": 1.0}, project, silent)
    with pytest.raises(ValueError, match="weeks"):
        run_optimize("demo", {"weeks": 0}, project, silent)
    plans = [run for run in all_runs(store) if run.data.tags["mmm.kind"] == "plan"]
    assert {run.info.status for run in plans} == {"FAILED"}


def test_a_report_is_a_run_of_its_own_and_says_the_same(demo, monkeypatch):
    monkeypatch.setenv("MLFLOW_TRACKING_URI", demo.uri)
    monkeypatch.chdir(demo.root)
    before = fingerprints(demo.root / "outputs")
    fit = demo.result.fit.run
    report = run_report(fit.run_id[:8], demo.root, silent)
    assert before.items() <= fingerprints(demo.root / "outputs").items()
    again, first = (demo.client.get_run(item).data for item in (report.run_id, fit.run_id))
    for channel in CHANNELS:
        assert again.metrics[f"roas.{channel}"] == first.metrics[f"roas.{channel}"]
    made = artifacts(demo.client, report.run_id)
    original = artifacts(demo.client, fit.run_id)
    assert {name for name in original if name.startswith("tables/")} <= made
    assert again.params["report.fit_run"] == fit.run_id


def test_a_refused_fit_gets_no_report(demo, store, project, tmp_path):
    # A run whose stored verdict says failed, made of the shared fit's files.
    with open_run("demo_refused", "fit") as run:
        checks = demo.report.checks
        failed = replace(demo.report, checks=(replace(checks[0], value=0.9), *checks[1:]))
        gate = GateFile.from_json((demo.files / "gate.json").read_text())
        verdict = tmp_path / "gate.json"
        verdict.write_text(replace(gate, report=failed, run_id=run.run_id).to_json())
        for path in (demo.files / "trace.nc", demo.files / "config.json", verdict):
            run.log_file(path)
    with pytest.raises(GateRefused, match="check 'stored verdict' failed"):
        run_report(run.run_id, project, silent)


# Fits that end before they are sampled


def write_experiment(project: Path, change: Callable[[dict[str, Any]], None]) -> ExperimentConfig:
    path = project / "experiments" / "demo.yaml"
    content = yaml.safe_load(path.read_text())
    change(content)
    (project / "experiments" / "changed.yaml").write_text(yaml.safe_dump(content))
    return load_experiment(project / "experiments" / "changed.yaml")


def test_priors_that_allow_impossible_sales_are_refused_before_any_sampling(
    store, project, monkeypatch
):
    priors = {name: prior | {"rationale": "theirs"} for name, prior in LIBRARY_DEFAULTS.items()}
    experiment = write_experiment(project, lambda content: content["model"].update(priors=priors))
    monkeypatch.setattr(fit_steps, "sample_posterior", None)  # calling it would be an error
    with pytest.raises(GateRefused, match=r"prior_extreme_share .* FAILED; tighten the priors"):
        run_fit(experiment, project, silent)
    run = only_run(store)
    assert run.info.status == "FAILED"
    assert run.data.tags["gate"] == "failed"
    assert run.data.metrics["gate.prior_extreme_share"] > 0.2
    assert run.data.params["prior.intercept"] == "Normal(mu=0, sigma=2)"
    assert run.data.params["prior.intercept.rationale"] == "theirs"
    found = artifacts(store, run.info.run_id)
    assert {"gate.json", "config.json", "plots/diagnostics/prior_predictive.png"} <= found
    assert "trace.nc" not in found
    gate = json.loads(Path(store.download_artifacts(run.info.run_id, "gate.json")).read_text())
    assert gate["passed"] is False


def test_a_crash_is_a_failed_run_without_a_verdict(store, project):
    def from_csv(content: dict[str, Any]) -> None:
        content["data"] = {"source": "csv", "path": "data/lost.csv"}

    with pytest.raises(FileNotFoundError, match=r"no data file .*lost\.csv"):
        run_main(write_experiment(project, from_csv), project, silent)
    run = only_run(store)
    assert run.info.status == "FAILED"
    assert "gate" not in run.data.tags
    assert run.data.tags["market"] == "demo"


def test_a_table_that_breaks_the_contract_is_no_verdict_on_a_model(store, project):
    (project / "data").mkdir()
    (project / "data" / "bad.csv").write_text("Week,Sales\n2024-01-01,1\n")

    def from_csv(content: dict[str, Any]) -> None:
        content["data"] = {"source": "csv", "path": "data/bad.csv"}

    with pytest.raises(DataError, match="TV"):
        run_fit(write_experiment(project, from_csv), project, silent)
    run = only_run(store)
    assert run.info.status == "FAILED"
    assert "gate" not in run.data.tags


def test_an_interrupted_fit_is_a_killed_run(store, project, monkeypatch):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(fit_steps, "sample_prior", interrupt)
    experiment = load_experiment(project / "experiments" / "demo.yaml")
    with pytest.raises(KeyboardInterrupt):
        run_fit(experiment, project, silent)
    run = only_run(store)
    assert run.info.status == "KILLED"
    assert "gate" not in run.data.tags


def test_a_market_without_a_champion_gets_no_plan(store, project):
    with pytest.raises(FileNotFoundError, match="no champion; run: mmm-demo promote"):
        run_optimize("demo", {}, project, silent)


def test_a_metric_per_channel_has_a_name_that_mlflow_takes(store):
    names = ["TV", "Content Marketing", "Paid/Social", "SEM (Google)", "Kanal Ü", "a.b", "x:y"]
    table = pd.DataFrame({"channel": names, "mean": [float(i) for i in range(len(names))]})
    metrics = by_channel("roas", table, "mean")
    assert len(metrics) == len(names)
    with open_run("names", "fit") as run:
        run.log(metrics=metrics)
    assert store.get_run(run.run_id).data.metrics == metrics


# Tables that nobody here wrote


@pytest.mark.parametrize("name", ["mmm_example", "mmm_roas_data"])
def test_the_main_job_runs_on_a_real_table_to_a_plan(name, tmp_path, store_template, monkeypatch):
    source = EXAMPLE_DATA / f"{name}.csv"
    if not source.is_file():
        pytest.skip(f"PyMC-Marketing's {source.name} is not beside the project: {source}")
    root = copy_project(tmp_path / "project")
    enter_store(monkeypatch, root, store_template)
    (root / "data").mkdir()
    shutil.copyfile(source, root / "data" / source.name)
    experiment = load_experiment(root / "experiments" / f"{name}.yaml")
    assert experiment.sampler == SamplerConfig()
    assert experiment.budget == BudgetConfig()
    said: list[str] = []
    done = run_main(experiment, root, said.append)
    assert done.fit.report.passed
    assert done.plan.version.name == f"mmm_{experiment.market}"
    assert done.plan.version.run_id == done.fit.run.run_id
    raw = pd.read_csv(source)
    model: ModelConfig = experiment.model
    last = raw[list(model.channel_columns)].tail(13).sum()
    assert done.plan.plan.total_budget == pytest.approx(last.sum())
    assert done.plan.plan.table["channel"].tolist() == ["x1", "x2"]
    assert done.plan.plan.start == pd.Timestamp(raw[model.date_column].iloc[-1]) + pd.Timedelta(
        days=7
    )
    assert done.plan.file.is_file()
    client = MlflowClient()
    runs = all_runs(client)
    assert {run.info.status for run in runs} == {"FINISHED"}
    (fit,) = [run for run in runs if run.data.tags["mmm.kind"] == "fit"]
    assert 0 < fit.data.metrics["predictive.mape"] < 0.25
    assert not [key for key in fit.data.metrics if key.startswith("truth")]
    logged = client.download_artifacts(fit.info.run_id, "data/weekly_table.csv")
    seen = list(pd.read_csv(logged))
    assert seen == [
        model.date_column,
        model.target_column,
        *model.channel_columns,
        *model.control_columns,
    ]
    assert_output_names(root, {done.fit.run.run_id, done.plan.run.run_id})
