"""One trial: what it stops at, and that nothing is made of a fit that did not pass.

The refits are canned: draws from the priors. What a real refit answers is `test_refit`'s business.
"""

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from drawn_model import drawn_model
from helpers import good_checks, make_experiment
from mmm_demo.checks.convergence import prior_check
from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence import scores
from mmm_demo.evidence.backtest import folds
from mmm_demo.evidence.refit import Refit
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.prior import sample_prior
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.trace import load_trace
from mmm_demo.settings.experiment import ExperimentConfig, ModelConfig
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.sources.simulate import simulate_market
from mmm_demo.sweeps import trial
from mmm_demo.sweeps.trial import Task, TrialResult, run_trial

SAMPLING = EvidenceConfig(folds=3, horizon_weeks=6)
CONVERGED = GateReport(tuple(c for c in good_checks() if c.stage == "convergence"))
UNCONVERGED = GateReport(tuple(c for c in good_checks(rhat_max=1.5) if c.stage == "convergence"))
UNMEASURED = GateReport(
    tuple(c for c in good_checks(ess_bulk_min=float("nan")) if c.stage == "convergence")
)
LIFT_TESTS = pd.DataFrame({"channel": ["TV"]})
ALL_WEEKS = len(drawn_model().table)


def posterior() -> xr.Dataset:
    """Return draws near each other, as a good fit has them."""
    drawn = drawn_model().response.posterior
    center = drawn.median(("chain", "draw"))
    return (center + 0.02 * (drawn - center)).assign(y_sigma=0.3 + 0.01 * drawn["y_sigma"])


class Canned:
    """A refitter without a sampler, which remembers what it was asked."""

    made: list["Canned"]
    reports: dict[int, GateReport]
    noise: float

    def __init__(self, config, table, sampling, longest_lag=None, cores=None):
        self.config, self.table, self.sampling = config, table, sampling
        self.longest_lag, self.cores = longest_lag, cores
        self.scaling = config.scaling or scaling_of(config, table)
        self.asked: list[SimpleNamespace] = []
        Canned.made.append(self)

    def fit(self, table, seed, lift_tests=None):
        self.asked.append(SimpleNamespace(weeks=len(table), seed=seed, lift_tests=lift_tests))
        fixed = replace(self.config, scaling=self.scaling)
        draws = posterior().transpose("chain", "draw", ...)
        stats = draws[["y_sigma"]].rename(y_sigma="energy")
        draws["y_sigma"] *= self.noise
        report = Canned.reports.get(len(table), CONVERGED)
        return Refit(Response(fixed, self.scaling, draws, table), report, stats)


@pytest.fixture(autouse=True)
def canned(monkeypatch):
    """Every refitter of a trial is canned."""
    Canned.made, Canned.reports, Canned.noise = [], {}, 1.0
    monkeypatch.setattr(trial, "Refitter", Canned)


def experiment(**settings: Any) -> ExperimentConfig:
    """Return an experiment with the drawn model, some of whose settings are replaced."""
    return replace(make_experiment(), model=replace(drawn_model().config, **settings))


def task(**settings: Any) -> Task:
    given = {
        "experiment": experiment(),
        "table": drawn_model().table,
        "lift_tests": LIFT_TESTS,
        "sampling": SAMPLING,
        "objective": "crps",
        "longest_lag": 9,
    }
    return Task(**given | settings)


def never(_: pd.DataFrame) -> bool:
    return False


def weeks_of(asked: list[SimpleNamespace]) -> list[int]:
    return [one.weeks for one in asked]


ORIGINS = [train for train, _ in folds(ALL_WEEKS, 3, 6)]


# A trial that passes


@pytest.fixture
def outcome():
    return run_trial(task(), never)


def test_a_trial_fits_each_fold_and_then_all_weeks(outcome):
    assert outcome.verdict == "passed"
    assert outcome.reason == ""
    (refitter,) = Canned.made
    assert weeks_of(refitter.asked) == [*ORIGINS, ALL_WEEKS]
    assert (refitter.longest_lag, refitter.cores) == (9, 1)
    assert refitter.sampling == SAMPLING
    assert all(one.lift_tests is LIFT_TESTS for one in refitter.asked)
    seeds = [one.seed for one in refitter.asked]
    assert len(set(seeds)) == 4
    assert seeds[-1] == make_experiment().sampler.seed


def test_its_value_is_the_mean_crps_of_the_weeks_that_it_forecast(outcome):
    table = outcome.tables[scores.BACKTEST]
    assert len(table) == 18
    assert table["converged"].all()
    assert outcome.value == table["crps"].mean() == outcome.metrics[scores.CRPS]
    for name in scores.METRICS:
        assert np.isfinite(outcome.metrics[name]), name


def test_it_has_the_tables_that_fits_are_compared_by(outcome):
    assert set(outcome.tables) == {scores.BACKTEST, scores.POINTWISE, scores.ROAS, scores.PLAN}
    assert len(outcome.tables[scores.POINTWISE]) == ALL_WEEKS
    roas = outcome.tables[scores.ROAS].set_index("channel")["median"]
    spend = drawn_model().spend.to_numpy()
    expected = np.median(replace(drawn_model().response, posterior=posterior()).roas(spend), axis=0)
    assert list(roas.index) == ["TV", "Radio"]
    assert roas.to_numpy() == pytest.approx(expected)
    assert outcome.metrics["roas.TV"] == roas["TV"]
    planned = outcome.tables[scores.PLAN].set_index("channel")["planned"]
    assert outcome.metrics["plan.Radio"] == planned["Radio"]
    assert 0 <= outcome.metrics["gate.prior_extreme_share"] < 0.2
    assert outcome.metrics["gate.rhat_max"] == 1.002


def test_its_stored_fit_is_that_of_all_weeks(outcome, tmp_path):
    path = tmp_path / "trace.nc"
    path.write_bytes(outcome.trace)
    stored = FittedModel(experiment().model, load_trace(path))
    pd.testing.assert_frame_equal(stored.table, drawn_model().table, check_dtype=False)
    drawn = posterior()["adstock_alpha"].transpose("chain", "draw", ...).to_numpy()
    assert stored.response.posterior["adstock_alpha"].to_numpy() == pytest.approx(drawn, rel=1e-6)
    assert "energy" in stored.trace["sample_stats"]


def test_for_elpd_there_are_no_folds(outcome):
    told = []
    other = run_trial(task(objective="elpd"), told.append)
    assert weeks_of(Canned.made[-1].asked) == [ALL_WEEKS]
    assert told == []
    assert other.value == other.metrics[scores.ELPD] == outcome.metrics[scores.ELPD]
    assert scores.BACKTEST not in other.tables
    assert scores.CRPS not in other.metrics


def test_a_trial_does_not_change_what_it_is_given():
    given = task()
    before = given.table.copy()
    run_trial(given, never)
    pd.testing.assert_frame_equal(given.table, before)
    assert given.experiment == experiment()


# A trial that does not


def assert_uninterpreted(outcome: TrialResult) -> None:
    """Nothing that says what media do, or how well the model does, may come of such a trial."""
    assert outcome.verdict != "passed"
    assert outcome.reason
    assert np.isnan(outcome.value)
    assert not outcome.tables
    assert not outcome.trace
    interpreting = ("score.", "roas.", "plan.")
    assert not [name for name in outcome.metrics if name.startswith(interpreting)]


ABSURD = PriorConfig("Normal", {"mu": -50.0, "sigma": 0.1}, "absurd")


def test_priors_that_say_nonsense_are_refused_before_any_fit():
    priors = drawn_model().config.priors | {"intercept": ABSURD}
    outcome = run_trial(task(experiment=experiment(priors=priors)), never)
    assert_uninterpreted(outcome)
    assert outcome.verdict == "failed"
    assert "prior_extreme_share 1 <= 0.2" in outcome.reason
    assert Canned.made == []
    assert outcome.metrics == {"gate.prior_extreme_share": 1.0}


@pytest.mark.parametrize("report", [UNCONVERGED, UNMEASURED])
@pytest.mark.parametrize("fold", [1, 2, 3])
def test_a_fold_that_did_not_converge_ends_the_trial(fold, report):
    Canned.reports = {ORIGINS[fold - 1]: report}
    told = []
    outcome = run_trial(task(), lambda rows: bool(told.append(rows)))
    assert_uninterpreted(outcome)
    assert outcome.verdict == "failed"
    assert outcome.reason.startswith(f"fold {fold} did not converge: ")
    assert weeks_of(Canned.made[0].asked) == ORIGINS[:fold]
    assert len(told) == fold - 1  # the study is not told of a forecast that means nothing


def test_a_fit_of_all_weeks_that_did_not_converge_fails_the_trial_after_good_folds():
    Canned.reports = {ALL_WEEKS: UNCONVERGED}
    outcome = run_trial(task(), never)
    assert_uninterpreted(outcome)
    assert outcome.reason.startswith("the fit of all weeks did not converge: rhat_max 1.5")
    assert outcome.metrics["gate.rhat_max"] == 1.5


@pytest.mark.parametrize("fold", [1, 2])
def test_a_hopeless_trial_ends_after_the_fold_that_said_so(fold):
    told = []

    def hopeless(rows: pd.DataFrame) -> bool:
        told.append(rows)
        return len(told) == fold

    outcome = run_trial(task(), hopeless)
    assert_uninterpreted(outcome)
    assert outcome.verdict == "pruned"
    assert f"after fold {fold}" in outcome.reason
    assert weeks_of(Canned.made[0].asked) == ORIGINS[:fold]
    means = [rows["crps"].mean() for rows in told]
    assert list(outcome.metrics) == [f"fold_{number}.crps" for number in range(1, fold + 1)]
    assert list(outcome.metrics.values()) == pytest.approx(means)


def test_a_trial_that_has_forecast_every_fold_is_not_given_up():
    told = []

    def hopeless(rows: pd.DataFrame) -> bool:
        told.append(rows)
        return len(told) == 3

    assert run_trial(task(), hopeless).verdict == "passed"
    assert [list(rows["fold"].unique()) for rows in told] == [[1], [2], [3]]


@pytest.mark.parametrize("objective", ["crps", "elpd"])
def test_an_objective_that_cannot_be_measured_fails_the_trial(objective, monkeypatch):
    measured = {"crps": "backtest_scores", "elpd": "loo_scores"}[objective]
    name = {"crps": scores.CRPS, "elpd": scores.ELPD}[objective]
    monkeypatch.setattr(scores, measured, lambda _: {name: float("nan")})
    outcome = run_trial(task(objective=objective), never)
    assert_uninterpreted(outcome)
    assert outcome.verdict == "failed"
    assert outcome.reason == f"its {objective} cannot be measured"
    assert outcome.metrics["gate.rhat_max"] == 1.002


def test_a_forecast_that_is_not_a_number_is_no_score():
    Canned.noise = float("nan")
    told = []
    outcome = run_trial(task(), lambda rows: bool(told.append(rows)))
    assert_uninterpreted(outcome)
    assert outcome.verdict == "failed"


def test_too_few_weeks_for_the_folds_are_an_error_for_the_worker():
    with pytest.raises(ValueError, match="5 weeks are too few"):
        run_trial(task(table=drawn_model().table.head(5)), never)


# The prior check


def shares(config: ModelConfig, table: pd.DataFrame, monkeypatch) -> list[float]:
    """Return the share of impossible sales that the trial finds, and that the main job finds."""
    monkeypatch.setattr(trial, "PRIOR_DRAWS", 4000)
    given = replace(make_experiment(), model=config)
    ours = trial.prior_check_of(given, table)
    observed = table[config.target_column].to_numpy()
    theirs = prior_check(sample_prior(config, table, 3, draws=4000), observed, given.gate)
    assert ours == replace(theirs, value=ours.value)
    return [ours.value, theirs.value]


def test_the_prior_check_is_that_of_the_main_job(monkeypatch):
    """Every kind of prior at once, single ones and one per channel, about half of it impossible."""
    channels = ("TV", "Search", "Radio")
    config = ModelConfig(
        channel_columns=channels,
        control_columns=("Trend",),
        adstock_max_lag=6,
        yearly_seasonality=1,
        adstock="binomial",
        saturation="s_shaped",
        priors={
            "intercept": PriorConfig("StudentT", {"nu": 3, "mu": 0.1, "sigma": 0.5}, "wide"),
            "saturation_lam": PriorConfig("LogNormal", {"mu": 0.0, "sigma": (0.5, 1, 2)}, "wide"),
            "saturation_beta": PriorConfig("Exponential", {"lam": (1.0, 2.0, 0.5)}, "wide"),
            "gamma_control": PriorConfig("Laplace", {"mu": -0.3, "b": 0.7}, "wide"),
            "gamma_fourier": PriorConfig("Normal", {"mu": (0.2, -0.2), "sigma": (1, 0.4)}, "wide"),
            "y_sigma": PriorConfig("Gamma", {"alpha": 2.0, "beta": 4.0}, "wide"),
        },
    )
    table = simulate_market(seed=1, weeks=104).table
    table = table[[*config.columns]]
    ours, theirs = shares(config, table, monkeypatch)
    assert 0.1 < theirs < 0.6
    assert ours == pytest.approx(theirs, abs=0.03)


def test_the_seed_decides_the_prior_check():
    table = task().table
    one, same = (trial.prior_check_of(experiment(), table).value for _ in range(2))
    other = replace(experiment(), sampler=replace(experiment().sampler, seed=9))
    assert one == same != trial.prior_check_of(other, table).value
