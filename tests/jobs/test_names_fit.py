"""One small fit of a table with hard names, through every store and back."""

import mlflow
import numpy as np
import pandas as pd
import pytest

from helpers import good_report, make_experiment
from mmm_demo.checks.proof import write_config, write_gate
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits import tables
from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.sampler import sample_posterior
from mmm_demo.fits.trace import load_trace, save_trace, table_sha256
from mmm_demo.jobs.fit import publish_results
from mmm_demo.jobs.plan import _metrics
from mmm_demo.planning.actuals import read_plan
from mmm_demo.planning.library import LibraryPlanner
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.study import study_plans
from mmm_demo.planning.window import window_of
from mmm_demo.reports import summary
from mmm_demo.reports.figures import Found, convergence_figures, result_figures
from mmm_demo.reports.page import png
from mmm_demo.reports.plan_page import Ground, plan_figures, plan_page
from mmm_demo.settings.experiment import ExperimentConfig
from mmm_demo.settings.experiment_file import flat_params
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.names import file_names, key
from mmm_demo.settings.run_schema import read_csv
from mmm_demo.settings.scenario import Scenario
from mmm_demo.sources.explore import explore
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.store import registry
from mmm_demo.store.publish import Publisher
from mmm_demo.store.runs import open_run

pytestmark = pytest.mark.slow  # a fit, a refit and every store

CHANNELS = ('TV: spend (€) / 100 % "prime"', "検索", "y", "Y", "NA")
CONTROLS = ("Promo / Father's Day=1 [dummy]", "_$a$ | $b")
DATE, SALES = "channel", "sales / <b>€</b>"
SIMULATED = ("TV", "Radio", "Search", "Social")


def hard_table() -> pd.DataFrame:
    market = simulate_market(seed=7, weeks=104).table
    names = dict(zip(SIMULATED, CHANNELS, strict=False)) | {"Week": DATE, "Sales": SALES}
    table = market.rename(columns=names | {"Trend": CONTROLS[0]})
    rng = np.random.default_rng(3)
    table[CHANNELS[-1]] = rng.uniform(0, 50, len(table)).round(1)
    table[CONTROLS[1]] = rng.normal(size=len(table))
    table = table[[DATE, SALES, *CHANNELS, *CONTROLS]]
    return table.astype({DATE: "datetime64[ns]"})


def hard_experiment() -> ExperimentConfig:
    return make_experiment(
        model={
            "channel_columns": list(CHANNELS),
            "control_columns": list(CONTROLS),
            "date_column": DATE,
            "target_column": SALES,
            "adstock_max_lag": 4,
            "yearly_seasonality": 1,
        },
        sampler={"draws": 100, "tune": 200, "chains": 2, "target_accept": 0.9},
    )


def lift_tests(table: pd.DataFrame) -> pd.DataFrame:
    test = {"x": 10.0, "delta_x": 5.0, "delta_y": 20.0, "sigma": 30.0}
    rows = [{"channel": name, **test, "date": table[DATE].iloc[50]} for name in CHANNELS[::2]]
    return pd.DataFrame(rows)


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> FittedModel:
    """The fit as it comes back from its file."""
    experiment, table = hard_experiment(), hard_table()
    sampling = sample_posterior(
        experiment.model,
        table,
        experiment.sampler,
        ladder(experiment.sampler.target_accept)[0],
        lift_tests=lift_tests(table),
    )
    path = tmp_path_factory.mktemp("hard") / "trace.nc"
    save_trace(sampling.trace, path)
    return FittedModel(experiment.model, load_trace(path))


def test_the_table_and_the_draws_come_back_under_the_names_as_written(stored: FittedModel) -> None:
    pd.testing.assert_frame_equal(stored.table, hard_table())
    posterior = stored.trace["posterior"]
    assert tuple(posterior["channel"].values) == CHANNELS
    assert tuple(posterior["control"].values) == CONTROLS
    assert list(stored.lift_tests["channel"]) == list(CHANNELS[::2])


def test_the_library_and_numpy_agree_on_every_part(stored: FittedModel) -> None:
    parts = stored.decompose()
    assert tuple(parts.channels["channel"].values) == CHANNELS
    assert tuple(parts.controls["control"].values) == CONTROLS
    gap = parts.mean - parts.non_media - parts.channels.sum("channel")
    assert abs(gap).max() < 1e-6 * stored.observed.max()
    np.testing.assert_allclose(
        parts.channels.to_numpy(),
        stored.response.contributions(stored.spend.to_numpy()),
        rtol=1e-6,
        atol=1e-6,
    )
    assert list(parts.means())[3:] == list(CHANNELS)


def test_weeks_to_come_are_predicted_by_the_names_as_written(stored: FittedModel) -> None:
    weeks = stored.table.drop(columns=SALES).tail(3)
    weeks[DATE] += 3 * WEEK
    predicted = stored.predict(weeks)
    assert list(predicted) == [DATE, "mean", "lower_94", "upper_94"]
    assert (predicted["lower_94"] < predicted["upper_94"]).all()


def test_a_refit_of_the_model_keeps_the_names(stored: FittedModel) -> None:
    refitter = Refitter(stored.config, stored.table, EvidenceConfig(draws=500, tune=500))
    refit = refitter.fit(stored.table, seed=1, lift_tests=stored.lift_tests)
    assert tuple(refit.response.posterior["channel"].values) == CHANNELS
    assert tuple(refit.response.posterior["control"].values) == CONTROLS


def test_results_are_logged_and_written_and_a_version_predicts(
    stored: FittedModel, store, project, tmp_path
) -> None:
    experiment = hard_experiment()
    with open_run("hard", "fit") as run:
        run.log(params=flat_params(experiment))
        run.log_dataset(stored.table, "small", table_sha256(stored.table), SALES)
        publisher = Publisher(run, project)
        results = publish_results(publisher, experiment, stored, stored.decompose())
        run.log(metrics=explore(stored.table, stored.config, "table").metrics())
        save_trace(stored.trace, tmp_path / "trace.nc")
        write_config(tmp_path, experiment)
        report = good_report()
        write_gate(tmp_path, report, run.run_id, table_sha256(stored.table))
        tags = summary.version_tags(experiment, report, results.roas)
        version = registry.register_version(
            run,
            tmp_path,
            experiment,
            report.require(),
            description="hard names",
            tags=tags,
            requirements=registry.pinned_requirements(project),
        )
    logged = store.get_run(run.run_id).data.metrics
    roas = tables.describe(stored.roas()).set_index("channel")["median"]
    assert {key(name, "roas."): roas[name] for name in CHANNELS}.items() <= logged.items()
    assert {key(name, "roas.") for name in CHANNELS} <= set(version.tags)
    folder = project / "outputs/plots/contributions"
    files = file_names(CHANNELS).values()
    found = {path.name for path in folder.iterdir()}
    assert {f"{file}_saturation_{run.run_id[:8]}.png" for file in files} <= found
    artifacts = store.list_artifacts(run.run_id, "plots/contributions")
    assert {f"plots/contributions/{file}_adstock.png" for file in files} <= {
        item.path for item in artifacts
    }
    served = mlflow.pyfunc.load_model(f"models:/{version.name}/{version.version}")
    answer = served.predict(stored.table.drop(columns=SALES).tail(3))
    assert list(answer) == [DATE, "mean", "lower_94", "upper_94"]


def test_figures_of_the_chains_and_results_can_be_drawn(stored: FittedModel) -> None:
    named = [*convergence_figures(stored.trace)]
    parts = stored.decompose()
    named += result_figures(Found.of(stored, parts, tables.result_tables(stored, parts, None)))
    assert all(png(item.figure).startswith(b"\x89PNG") for item in named)


def test_a_plan_names_channels_as_written_and_is_read_back(
    stored: FittedModel, store, tmp_path
) -> None:
    window = window_of(stored, 6, None, {})
    planner = Planner(stored, window)
    plan = planner.plan(Scenario("s" * 60))
    study = study_plans(planner, (plan,))
    pictures = {name: png(figure) for name, figure in plan_figures(study).items()}
    assert "TV: spend (€) / 100 % &#34;prime&#34;" in plan_page(study, ground(), pictures)
    with open_run("plan", "plan") as run:
        run.log(metrics=_metrics(plan, f"plan.{plan.scenario.name}"))
        publisher = Publisher(run, tmp_path)
        file = publisher.scenario(plan.schedule, "hard", "hard")
    planned = read_plan(read_csv(file), window.dates, CHANNELS, "plan")
    np.testing.assert_allclose(planned.money[list(CHANNELS)].sum(), plan.table["planned"])


def ground() -> Ground:
    return Ground(
        model="mmm_small",
        version="1",
        age_days=0,
        span="104 weeks",
        gate="passed",
        flags=[],
        lift_tests=0,
        evidence="",
        command="",
        label="",
        labels={},
    )


def test_the_reference_optimizer_takes_the_names_as_well(stored: FittedModel) -> None:
    window = window_of(stored, 6, None, {})
    totals = window.last.sum(axis=0)
    brought = LibraryPlanner(stored, window).response(totals)
    assert np.isfinite(brought).all()
