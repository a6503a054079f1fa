"""The jobs as a user starts them: in a copy of the project, from the command line, on real data."""

import hashlib
import json
import re
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import numpy as np
import pandas as pd
import pytest
import xarray as xr
import yaml
from conftest import Shell, all_runs, copy_project, run_command
from mlflow import MlflowClient
from mlflow.entities import Run
from test_reports import ask as ask  # a fixture of some tests here

from drawn_model import drawn_model
from helpers import PROJECT, PYTHON
from mmm_demo.checks.gate import GateFile, GateRefused, GateReport
from mmm_demo.checks.proof import CONFIG, FILES
from mmm_demo.cli.terminal import show_gate
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.ladder import attempt_params, ladder, read_attempt
from mmm_demo.fits.sampler import sample_posterior
from mmm_demo.fits.trace import LIFT_TESTS, load_trace, save_trace, table_sha256
from mmm_demo.jobs import fit as fit_steps
from mmm_demo.jobs.fit import publish_lift_tests, run_fit
from mmm_demo.jobs.main import run_main
from mmm_demo.jobs.report import run_report
from mmm_demo.settings.experiment import BudgetConfig, ExperimentConfig, SamplerConfig
from mmm_demo.settings.experiment_file import from_dict, load_experiment
from mmm_demo.settings.run_schema import by_channel
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run, temporary_folder
from mmm_demo.tables.faults import DataError
from shared_data import FOLDER, shared_data

CHANNELS = ("TV", "Radio", "Search", "Social")
EXAMPLES = ("mmm_example", "mmm_roas_data")
OUTPUT_NAMES = (
    r"models/mmm_fit_\d{4}-\d\d-\d\d_[a-z0-9_]+_{run}\.nc",
    r"plots/diagnostics/[a-z0-9_]+_{run}\.png",
    r"plots/contributions/[a-z0-9_]+_{run}\.png",
    r"tables/[a-z0-9_]+_{run}_\d{4}-\d\d-\d\d\.csv",
    r"optimization/budget_scenario_[a-z0-9_]+_{run}\.csv",
    r"optimization/budget_report_[a-z0-9_]+_{run}\.html",
    r"optimization/budget_(?:change|moves|gains|frontier|weekly_spend)_[a-z0-9_]+_{run}\.png",
    r"optimization/budget_(?:response|marginal)_curves_[a-z0-9_]+_{run}\.png",
)
LIBRARY_DEFAULTS = {
    "intercept": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "saturation_beta": {"distribution": "HalfNormal", "sigma": 2},
    "gamma_control": {"distribution": "Normal", "mu": 0, "sigma": 2},
    "gamma_fourier": {"distribution": "Laplace", "mu": 0, "b": 1},
}


def silent(_: object) -> None:
    """Say nothing."""


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


def made_in(root: Path) -> dict[str, str]:
    """Return what was made under `outputs/` and `mlruns/`, without the database."""
    made = fingerprints(root / "outputs") | fingerprints(root / "mlruns")
    return {path: digest for path, digest in made.items() if "mlflow.db" not in path}


def assert_output_names(root: Path, runs: Iterable[str]) -> None:
    """Check that every output follows the naming convention and ends in one of the runs."""
    marks = "(?:" + "|".join(run[:8] for run in runs) + ")"
    patterns = [name.replace("{run}", marks) for name in OUTPUT_NAMES]
    made = [path for path in (root / "outputs").rglob("*") if path.is_file()]
    names = [path.relative_to(root / "outputs").as_posix() for path in made]
    odd = [name for name in names if not any(re.fullmatch(item, name) for item in patterns)]
    assert not odd
    for pattern in patterns:
        assert any(re.fullmatch(pattern, name) for name in names), pattern


# The main job, by `mlflow run . --env-manager local` with no setting at all


def test_the_main_job_succeeds_and_prints_its_summary(demo):
    assert demo.shell.code == 0
    for text in ("gate passed: ", "Incremental ROAS", "Expected: ", "mmm-demo ui", *CHANNELS):
        assert text in demo.shell.out, text
    assert "Traceback" not in demo.shell.err
    # Every warning was shown; none may come from the project's own code.
    assert not re.findall(r"mmm_demo/[\w/]+\.py:\d+: \w*Warning.*", demo.shell.err)


def test_readme_shows_what_the_main_job_prints(demo):
    """Word for word but for the figures, in whose last digits processors may differ."""
    readme = (PROJECT / "README.md").read_text("utf-8")
    shown = readme.partition("<!-- what the main job prints -->")[2].partition("<!-- end -->")[0]
    said = without_figures(demo.shell.out)
    told = without_figures(shown).removeprefix("```text ").removesuffix(" ```").split(" * ")
    assert len(told) == 9
    missing = [part for part in told if part not in said]
    assert not missing, f"the main job does not print this: {missing}"


def without_figures(text: str) -> str:
    """Return printed lines as one, without the lines of tables, blanks between columns, figures."""
    lines = [line for line in text.splitlines() if not line.startswith(tuple("┏┡└┃│"))]
    return re.sub(r"[0-9a-f]{8,}|\d[\d,.]*", "#", " ".join(" ".join(lines).split()))


def test_the_main_job_makes_exactly_three_finished_runs(demo):
    runs = [demo.client.get_run(run_id) for run_id in demo.run_ids]
    assert sorted(run.data.tags["mmm.kind"] for run in runs) == ["fit", "plan", "promotion"]
    assert {run.info.status for run in runs} == {"FINISHED"}
    fit = demo.run("fit")
    assert fit.info.run_id == demo.run_id
    # The run that `mlflow run` opened was adopted: there is no empty twin of it.
    assert fit.data.tags["mlflow.source.type"] == "PROJECT"
    assert fit.data.tags["mlflow.project.entryPoint"] == "main"
    assert "mlflow.parentRunId" not in fit.data.tags
    for kind in ("promotion", "plan"):
        assert demo.run(kind).data.tags["mlflow.parentRunId"] == demo.run_id


def test_everything_lies_in_one_experiment_under_the_projects_mlruns(demo):
    client, root = demo.client, demo.root
    made = [client.get_run(run_id) for run_id in demo.run_ids]
    used = {run.info.experiment_id for run in made}
    assert [client.get_experiment(item).name for item in used] == ["mmm_demo"]
    for run in made:
        assert Path(urlparse(run.info.artifact_uri).path).is_relative_to(root / "mlruns")
    (model,) = client.search_model_versions("name = 'mmm_demo'")
    logged = client.get_logged_model(model.source.removeprefix("models:/"))
    assert Path(urlparse(logged.artifact_location).path).is_relative_to(root / "mlruns")
    assert logged.experiment_id in used
    with demo.writing:
        assert not list(root.rglob("mlflow.db-journal"))
    assert [path.relative_to(root).as_posix() for path in root.rglob("mlflow.db")] == [
        "mlruns/mlflow.db"
    ]


def test_the_fit_logs_what_one_wants_to_compare(demo):
    fit = demo.run("fit")
    experiment = load_experiment(demo.root / "experiments" / "demo.yaml")
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
    kept = ladder(experiment.sampler.target_accept)[int(tags["attempts"]) - 1]
    assert tags["sampling"] == f"attempt {tags['attempts']} of 3: {kept}"
    assert "passed" in tags["mlflow.note.content"]
    assert not [key for key in tags if "git" in key]  # the copy is no repository
    (given,) = fit.inputs.dataset_inputs
    hashes = {tag.key: tag.value for tag in given.tags}
    assert hashes["sha256"] == params["data.sha256"]


def test_every_check_is_a_metric_and_every_roas_has_its_label(demo):
    data = demo.run("fit").data
    checks = {f"gate.{check.name}": check.value for check in demo.report.checks}
    assert len(checks) > 20
    for name, value in checks.items():
        assert data.metrics[name] == pytest.approx(value), name
    assert data.metrics["gate.passed"] == 1
    assert data.metrics["gate.flags"] == len(demo.report.flags)
    named = ", ".join(check.name for check in demo.report.flags) or "none"
    version = demo.client.get_model_version_by_alias("mmm_demo", "champion")
    assert data.tags["flags"] == version.tags["flags"] == named
    table = pd.read_csv(
        demo.client.download_artifacts(demo.run_id, "tables/identification_demo.csv")
    ).set_index("channel")
    assert tuple(table.index) == CHANNELS
    for channel, row in table.iterrows():
        assert row["label"] in ("data-driven", "prior-driven")
        assert data.tags[f"roas.label.{channel}"] == row["label"]
        for name in ("overlap", "prior_sensitivity"):
            assert data.metrics[f"identification.{name}.{channel}"] == pytest.approx(row[name])


CHECKS_IN_WORDS = ("R-hat (worst)", "weeks inside the 94 % interval", "most influential week")


def test_the_terminal_leads_with_the_plan_and_shows_what_speaks_against_it(demo):
    shown = demo.shell.out.partition("\nPlan ")[2]
    order = ("(13 weeks), total ", "│ Radio ", "* Spend ", "* Expected: ", "* How sure: ")
    order += ("* It rests on", "Incremental ROAS (", " truth ┃", "\ngate passed: ", "\nNext:\n")
    places = [shown.index(text) for text in order]
    assert places == sorted(places)
    count, flags = len(demo.report.checks), len(demo.report.flags)
    assert f"gate passed: {count} checks, {flags} flag{'' if flags == 1 else 's'} (" in shown
    assert shown.count("* flag: ") == flags
    assert not any(words in demo.shell.out for words in CHECKS_IN_WORDS)
    (page,) = re.findall(r"^  plan page +(\S+)$", shown, re.MULTILINE)
    assert (demo.root / page).is_file()
    assert f"uv run mmm-demo ui   (run {demo.run_id})" in shown


def test_the_terminal_shows_every_check_where_that_is_asked(demo, capsys):
    show_gate(demo.report, verbose=True)
    shown = re.sub(r"\s+", " ", capsys.readouterr().out)
    for words in CHECKS_IN_WORDS:
        assert words in shown, words
    assert shown.count("flag:") >= len(demo.report.flags)


def test_progress_is_a_short_line_for_each_step(demo):
    told = [line for line in demo.shell.out.splitlines() if line.startswith("> ")]
    steps = ("data: ", "prior check", "sampling, attempt 1", "drew 4 x ", "converged")
    steps += ("checking what the fit", "gate passed", "tables and plots", "registered ")
    steps += ("champion of ", "plan with ")
    assert len(told) == len(steps) and max(map(len, told)) <= 100
    for line, step in zip(told, steps, strict=True):
        assert line.startswith(f"> {step}"), line


def test_what_is_captured_of_the_main_job_are_whole_lines(demo):
    """No bar, no table that is drawn over and over, no colour: a log file can be read."""
    for text in (demo.shell.out, demo.shell.err):
        assert not re.findall(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]", text)
    (line,) = re.findall(r"^> drew .*$", demo.shell.out, flags=re.MULTILINE)
    draws = f"{demo.experiment.sampler.draws:,}"
    assert re.fullmatch(rf"> drew 4 x {draws} in .+ s \(compiled in .+ s\)", line)
    assert "Computing" not in demo.shell.out + demo.shell.err


def test_the_page_of_the_main_job_has_the_same_order(demo, tmp_path):
    page = demo.run("fit").data.tags["mlflow.note.content"]
    order = ("**Plan of mmm_demo version 1: ", "* Spend ", "* Expected: ", "* How sure: ")
    order += ("| Radio | ", "**Gate passed: ", "**Incremental ROAS", "**All checks**", "R-hat (w")
    places = [page.index(text) for text in order]
    assert places == sorted(places) and places[0] == 0
    kept = demo.client.download_artifacts(demo.run_id, "summary.md", str(tmp_path))
    assert Path(kept).read_text("utf-8") == f"{page}\n"


def test_the_scaling_is_decided_once_and_kept_with_the_version(demo):
    written = json.loads((demo.files / CONFIG).read_text())
    table = simulate_market(demo.experiment.data.seed, demo.experiment.data.weeks).table
    assert demo.experiment.model.scaling is None  # left open by the user
    scaling = from_dict(written, CONFIG).model.scaling
    assert scaling.target == table["Sales"].max()
    assert scaling.channels == tuple(table[list(CHANNELS)].max())
    assert FittedModel(
        demo.experiment.model, load_trace(demo.files / "trace.nc")
    ).response.scaling == (scaling)


def test_the_artifacts_of_the_fit_are_complete_and_agree(demo, tmp_path):
    fit = demo.run("fit")
    client, run_id = demo.client, fit.info.run_id
    found = artifacts(client, run_id)
    assert {"experiment.yaml", "summary.md", "data/weekly_table.csv", *FILES} <= found
    diagnostics = ("prior_predictive", "convergence_trace", "convergence_rank")
    diagnostics += ("convergence_forest", "convergence_energy")
    diagnostics += ("posterior_predictive", "posterior_residuals")
    assert {f"plots/diagnostics/{name}.png" for name in diagnostics} <= found
    for channel in ("tv", "radio", "search", "social"):
        for plot in ("contribution", "adstock", "saturation"):
            assert f"plots/contributions/{channel}_{plot}.png" in found
    for name in (
        "roas",
        "channel_shares",
        "contributions",
        "adstock",
        "saturation",
        "truth",
        "contraction",
        "identification",
        "channel_pairs",
    ):
        assert f"tables/{name}_demo.csv" in found

    def read(name: str) -> Path:
        return Path(client.download_artifacts(run_id, name, str(tmp_path)))

    assert load_experiment(read("experiment.yaml")) == load_experiment(
        demo.root / "experiments" / "demo.yaml"
    )
    gate = GateFile.from_json(read("gate.json").read_text())
    assert gate.report.passed
    assert gate.run_id == run_id
    weekly = pd.read_csv(read("data/weekly_table.csv"), parse_dates=["Week"])
    assert table_sha256(weekly) == gate.data_sha256 == fit.data.params["data.sha256"]
    assert load_trace(read("trace.nc"))["posterior"].sizes["chain"] == 4
    assert read("summary.md").read_text().startswith("**Plan of mmm_demo version 1: ")


def test_the_plan_names_the_version_it_rests_on(demo):
    plan, fit = demo.run("plan"), demo.run("fit")
    client = demo.client
    version = client.get_model_version_by_alias("mmm_demo", "champion")
    assert version.run_id == fit.info.run_id == plan.data.params["plan.fit_run"]
    assert plan.data.params["plan.model_version"] == str(version.version) == "1"
    (used,) = client.get_run(plan.info.run_id).inputs.model_inputs
    assert used.model_id == version.source.removeprefix("models:/")
    planned = [plan.data.metrics[f"plan.planned.{channel}"] for channel in CHANNELS]
    assert sum(planned) == pytest.approx(plan.data.metrics["plan.total_budget"])
    assert plan.data.metrics["plan.uplift_mean"] > 0
    found = artifacts(client, plan.info.run_id)
    assert {"plan/budget_scenario_demo.csv", "reports/budget_report.html"} <= found


def test_outputs_follow_the_naming_convention_and_carry_their_run(demo):
    assert_output_names(demo.root, demo.run_ids)


# A refused fit in the same project, and two tables that nobody here wrote, side by side


@dataclass(frozen=True)
class Job:
    """A finished command in a project folder and the store it wrote to."""

    root: Path
    shell: Shell
    before: dict[str, str]

    @property
    def client(self) -> MlflowClient:
        uri = f"sqlite:///{self.root / 'mlruns' / 'mlflow.db'}"
        return MlflowClient(tracking_uri=uri, registry_uri=uri)


@pytest.fixture(scope="module")
def jobs(demo, tmp_path_factory, user_environment) -> dict[str, Job]:
    """Three fits by the command line, all at once: each leaves a core idle for half of its time."""
    roots, commands = {"demo_refused": demo.root}, {"demo_refused": "fit"}
    for name in EXAMPLES:
        if (data := FOLDER / "pymc_marketing" / f"{name}.csv").is_file():
            roots[name] = copy_project(tmp_path_factory.mktemp(name) / "project")
            commands[name] = "main"
            (roots[name] / "data").mkdir()
            shutil.copy(data, roots[name] / "data")
    before = {name: made_in(root) for name, root in roots.items()}

    def start(name: str) -> Shell:
        words = ("-m", "mmm_demo.cli", commands[name], "--experiment", f"experiments/{name}.yaml")
        return run_command(roots[name], user_environment, PYTHON, *words)

    with demo.writing, ThreadPoolExecutor() as pool:
        done = dict(zip(roots, pool.map(start, roots), strict=True))
    return {name: Job(roots[name], done[name], before[name]) for name in roots}


@pytest.fixture(scope="module")
def refused(jobs) -> Job:
    return jobs["demo_refused"]


@pytest.fixture(scope="module")
def refused_run(refused) -> Run:
    runs = all_runs(refused.client)
    (run,) = [run for run in runs if run.data.tags.get("experiment") == "demo_refused"]
    return run


@pytest.mark.slow
def test_a_refused_fit_exits_with_3_and_says_why(refused):
    out, err = refused.shell.out, refused.shell.err
    assert refused.shell.code == 3, out + err
    assert "Refused" in err
    assert "ess_bulk_min" in err
    assert "raise draws" in err
    assert err.index("ess_bulk_min") < err.index("Next, in this order:") < err.index("raise draws")
    assert "No result of it may be used." in err and "uv run mmm-demo ui   (run " in err
    assert "> attempt 2 did not converge: " in out
    assert "Traceback" not in err
    assert "ROAS" not in out + err


@pytest.mark.slow
def test_a_refused_fit_is_a_run_with_everything_measured(refused, refused_run):
    assert refused_run.info.status == "FAILED"
    data = refused_run.data
    assert data.tags["gate"] == "failed"
    assert data.metrics["gate.ess_bulk_min"] < 400
    assert "Refused" in data.tags["mlflow.note.content"]
    found = artifacts(refused.client, refused_run.info.run_id)
    assert {"experiment.yaml", *FILES} <= found
    plots = ("trace", "rank", "forest", "energy")
    assert {f"plots/diagnostics/convergence_{name}.png" for name in plots} <= found
    # It tried in every way, and all attempts are on record.
    attempts = ladder(float(data.params["sampler.target_accept"]))
    assert data.tags["attempts"] == str(len(attempts))
    for number, attempt in enumerate(attempts, 1):
        said = {name: str(value) for name, value in attempt_params(number, attempt).items()}
        assert said.items() <= data.params.items()
        assert f"attempts/gate_attempt_{number}.json" in found


@pytest.mark.slow
def test_a_refused_fit_is_never_interpreted(refused, refused_run):
    read = ("roas", "share", "truth", "predictive", "plan", "decomposition", "contraction")
    read += ("identification", "lift_tests", "gate.coverage", "gate.media_share")
    assert not [name for name in refused_run.data.metrics if name.startswith(read)]
    assert not [name for name in refused_run.data.tags if name.startswith("roas")]
    found = artifacts(refused.client, refused_run.info.run_id)
    assert not [name for name in found if name.startswith(("tables", "plots/contributions"))]
    assert not [name for name in found if "posterior" in name]
    mark = refused_run.info.run_id[:8]
    written = [path.name for path in (refused.root / "outputs").rglob(f"*{mark}*")]
    assert written
    assert not [name for name in written if name.endswith(".csv")]


@pytest.mark.slow
def test_a_refused_fit_makes_no_version_and_moves_no_champion(demo, refused, refused_run):
    (version,) = refused.client.search_model_versions("name = 'mmm_demo'")
    assert version.run_id == demo.run_id != refused_run.info.run_id
    champion = refused.client.get_model_version_by_alias("mmm_demo", "champion")
    assert champion.run_id == demo.run_id


@pytest.mark.slow
def test_a_second_job_overwrites_nothing_of_the_first(refused):
    now = made_in(refused.root)
    assert refused.before
    assert refused.before.items() <= now.items()
    assert len(now) > len(refused.before)


@pytest.mark.slow
def test_no_run_is_left_running(jobs):
    for job in jobs.values():
        assert "RUNNING" not in {run.info.status for run in all_runs(job.client)}


@pytest.mark.slow
@pytest.mark.parametrize("name", EXAMPLES)
def test_the_main_job_runs_on_a_real_table_to_a_plan(name, jobs):
    source = shared_data(f"pymc_marketing/{name}.csv")
    job = jobs[name]
    assert job.shell.code == 0, job.shell.out + job.shell.err
    experiment = load_experiment(job.root / "experiments" / f"{name}.yaml")
    assert experiment.sampler == SamplerConfig()
    assert experiment.budget == BudgetConfig()
    model, raw = experiment.model, pd.read_csv(source)
    runs = {run.data.tags["mmm.kind"]: run for run in all_runs(job.client)}
    assert sorted(runs) == ["fit", "plan", "promotion"]
    assert {run.info.status for run in runs.values()} == {"FINISHED"}
    fit, plan = runs["fit"], runs["plan"]
    assert fit.data.tags["gate"] == "passed"
    assert 0 < fit.data.metrics["predictive.mape"] < 0.25
    assert not [key for key in fit.data.metrics if key.startswith("truth")]
    champion = job.client.get_model_version_by_alias(f"mmm_{experiment.market}", "champion")
    assert champion.run_id == fit.info.run_id == plan.data.params["plan.fit_run"]
    # The model saw the columns that the experiment names and no other.
    logged = job.client.download_artifacts(fit.info.run_id, "data/weekly_table.csv")
    columns = [model.date_column, model.target_column]
    columns += [*model.channel_columns, *model.control_columns]
    assert list(pd.read_csv(logged)) == columns
    last = raw[list(model.channel_columns)].tail(13).sum()
    scenario = job.client.download_artifacts(plan.info.run_id, f"plan/budget_scenario_{name}.csv")
    planned = pd.read_csv(scenario)
    assert planned["channel"].unique().tolist() == ["x1", "x2"]
    assert planned["spend"].sum() == pytest.approx(last.sum())
    assert plan.data.metrics["plan.total_budget"] == pytest.approx(last.sum())
    assert_output_names(job.root, {fit.info.run_id, plan.info.run_id})


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_in_two_processes(demo, refused, refused_run, tmp_path):
    # The main job had compiled this model before, so the refused fit found the cache warm.
    stored = refused.client.download_artifacts(refused_run.info.run_id, "trace.nc", str(tmp_path))
    experiment = load_experiment(demo.root / "experiments" / "demo_refused.yaml")
    table = simulate_market(experiment.data.seed, experiment.data.weeks).table
    again = sample_posterior(
        experiment.model,
        table,
        experiment.sampler,
        read_attempt(refused_run.data.params, refused_run.data.tags["attempts"]),
    )
    save_trace(again.trace, tmp_path / "again.nc")
    first, second = (
        load_trace(path)["posterior"] for path in (Path(stored), tmp_path / "again.nc")
    )
    xr.testing.assert_equal(first.to_dataset(), second.to_dataset())


# Reports and lift tests of fits that exist


def test_lift_tests_of_a_fit_are_a_table_a_plot_and_a_line_each(store, project):
    drawn = drawn_model()
    spend = float(drawn.spend["TV"].mean())
    test = {"channel": "TV", "x": spend, "delta_x": 0.5 * spend, "sigma": 1.0}
    rows = pd.DataFrame(
        [
            test | {"delta_y": 1e9, "date": pd.Timestamp("2024-03-04")},
            test | {"delta_y": -1e4, "date": pd.Timestamp("2024-06-03"), "sigma": 1e9},
        ]
    )[["channel", "x", "delta_x", "delta_y", "sigma", "date"]]
    groups = {name: drawn.trace[name].to_dataset() for name in drawn.trace.children}
    tests = xr.Dataset.from_dataframe(rows.rename_axis("test"))
    calibrated = FittedModel(drawn.config, xr.DataTree.from_dict(groups | {LIFT_TESTS: tests}))
    said: list[str] = []
    with open_run("lift", "fit") as run:
        publisher = Publisher(run, project)
        publish_lift_tests(publisher, "small", calibrated, said.append)
        publish_lift_tests(publisher, "none", drawn, said.append)  # has none: nothing to say
    assert [line.split(":")[0] for line in said] == [
        "lift test TV 2024-03-04",
        "lift test TV 2024-06-03",
    ]
    assert "sign is not" not in said[0] and said[1].endswith("its sign is not the expected one")
    assert artifacts(store, run.run_id) == {
        "tables/lift_tests_small.csv",
        "plots/diagnostics/lift_tests_model.png",
    }
    told = pd.read_csv(store.download_artifacts(run.run_id, "tables/lift_tests_small.csv"))
    assert told["inside"].tolist() == [False, True]
    assert np.isfinite(told["model_mean"]).all()
    assert store.get_run(run.run_id).data.metrics == {"lift_tests.inside_94": 0.5}


def log_files(files: Path, report: GateReport | None = None) -> str:
    """Make a fit run with these files, sealed for it, and return its id."""
    gate = GateFile.from_json((files / "gate.json").read_text())
    with open_run("demo", "fit") as run, temporary_folder() as folder:
        sealed = replace(gate, report=report or gate.report, run_id=run.run_id)
        (folder / "gate.json").write_text(sealed.to_json())
        for path in (files / "trace.nc", files / "config.json", folder / "gate.json"):
            run.log_file(path)
    return run.run_id


@pytest.mark.slow
def test_a_report_is_a_run_of_its_own_and_says_what_the_draws_say(lean, lean_model, store, project):
    fit = log_files(lean)
    report = run_report(fit[:8], project, silent)
    data = store.get_run(report.run_id).data
    assert data.params["report.fit_run"] == fit
    medians = lean_model.roas().median("sample")
    for channel, roas in zip(CHANNELS, medians.values, strict=True):
        assert data.metrics[f"roas.{channel}"] == pytest.approx(roas)
    made = artifacts(store, report.run_id)
    assert {"tables/roas_demo.csv", "tables/truth_demo.csv"} <= made
    assert "plots/diagnostics/convergence_trace.png" in made
    assert "plots/contributions/tv_adstock.png" in made
    outputs = [path.name for path in (project / "outputs").rglob("*.*")]
    assert outputs
    assert all(report.run_id[:8] in name for name in outputs)


def test_a_refused_fit_gets_no_report(demo, lean, store, project):
    checks = demo.report.checks
    fit = log_files(lean, GateReport((replace(checks[0], value=0.9), *checks[1:])))
    with pytest.raises(GateRefused, match="check 'stored verdict' failed"):
        run_report(fit, project, silent)
    assert not (project / "outputs").exists()


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
        run_main(write_experiment(project, from_csv), project, silent, silent)
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


def test_a_metric_per_channel_has_a_name_that_mlflow_takes(store):
    names = ["TV", "Content Marketing", "Paid/Social", "SEM (Google)", "Kanal Ü", "a.b", "x:y"]
    table = pd.DataFrame({"channel": names, "mean": [float(i) for i in range(len(names))]})
    metrics = by_channel("roas", table, "mean")
    assert len(metrics) == len(names)
    with open_run("names", "fit") as run:
        run.log(metrics=metrics)
    assert store.get_run(run.run_id).data.metrics == metrics
