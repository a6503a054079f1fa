"""Real fits of markets whose noise is not the usual one: it is found again, and the flags go."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from pymc_marketing.mmm import MMM

from helpers import PROJECT
from mmm_demo.checks.convergence import convergence_checks
from mmm_demo.checks.gate import Check
from mmm_demo.checks.judge import judge
from mmm_demo.checks.proof import TRACE, write_config
from mmm_demo.evidence.backtest import score_weeks
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.ladder import Attempt
from mmm_demo.fits.sampler import sample_posterior
from mmm_demo.fits.trace import save_trace
from mmm_demo.forms.registry import chosen
from mmm_demo.serving import _load_pyfunc
from mmm_demo.settings.experiment import ExperimentConfig, SamplerConfig, free_parameters
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.settings.limits import GateConfig
from mmm_demo.sources.simulate import SimulatedMarket, assemble, draw_parts

DEMO = load_experiment(PROJECT / "experiments/demo.yaml")
SAMPLER = SamplerConfig(draws=500, tune=500)
WEEK = pd.Timedelta(days=7)


@dataclass(frozen=True)
class Found:
    """A fit with all that is judged of it."""

    experiment: ExperimentConfig
    fitted: FittedModel
    checks: dict[str, Check]
    elpd: float

    def interval(self, name: str) -> np.ndarray:
        """Return the 94 % interval of a parameter of the noise."""
        draws = self.fitted.trace["posterior"][name].to_numpy()
        return np.quantile(draws, [0.03, 0.97])


def market(seed: int, noise: str, autocorrelation: bool, **values: float) -> SimulatedMarket:
    """Return the demo market of a seed with another noise, in units of its own noise."""
    parts, law = draw_parts(seed, 156), {"noise": noise, "autocorrelation": autocorrelation}
    known = {name: np.array([value]) for name, value in values.items()}
    path = chosen("noise", law).draw(np.zeros(156), np.random.default_rng(seed + 7), **known)
    return assemble(replace(parts, noise=path * parts.noise_scale))


def fit(of: SimulatedMarket, noise: str, autocorrelation: bool) -> Found:
    model = replace(DEMO.model, noise=noise, autocorrelation=autocorrelation, priors={})
    table = of.table[[*model.columns]]
    attempt = Attempt(SAMPLER.target_accept)
    trace = sample_posterior(model, table, SAMPLER, attempt).trace
    limits, fitted = GateConfig(), FittedModel(model, trace)
    found = judge(fitted, fitted.decompose(), limits)
    sampled = convergence_checks(trace, free_parameters(model), limits, SAMPLER.chains)
    checks = {check.name: check for check in (*sampled, *found.checks)}
    experiment = replace(DEMO, model=model)
    return Found(experiment, fitted, checks, float(found.pointwise["elpd_i"].sum()))


REQUIRED = ("rhat_max", "ess_bulk_min", "ess_tail_min", "divergences", "bfmi_min", "coverage_94")


@pytest.fixture(scope="module")
def ar_world() -> SimulatedMarket:
    return market(1, "normal", True, sigma=0.7, rho=0.6)


@pytest.fixture(scope="module")
def ar(ar_world: SimulatedMarket) -> Found:
    return fit(ar_world, "normal", autocorrelation=True)


def test_ar_1_is_found_and_its_fit_passes_without_the_flags_of_the_plain_one(ar, ar_world) -> None:
    assert all(ar.checks[name].passed for name in REQUIRED), ar.checks
    lower, upper = ar.interval("y_rho")
    assert 0.3 < lower < 0.6 < upper < 0.85
    flagged = {name for name, check in ar.checks.items() if not check.passed}
    assert flagged.isdisjoint({"p_lag1_residuals", "p_later_lags", "residual_cusum"})
    assert "each week given the sales before it" in ar.checks["coverage_94"].where
    plain = fit(ar_world, "normal", autocorrelation=False)  # control
    assert not plain.checks["p_lag1_residuals"].passed
    assert ar.elpd > plain.elpd + 10
    spend = ar.fitted.spend.to_numpy()
    widths = [
        np.ptp(np.quantile(of.fitted.response.roas(spend), [0.03, 0.97], axis=0), axis=0)
        for of in (ar, plain)
    ]
    # Weeks that hang together are fewer than they look: intervals that believed otherwise widen.
    assert widths[0].mean() > 1.1 * widths[1].mean()


@pytest.mark.slow
def test_heavy_tails_are_found_and_their_weeks_are_no_longer_out_of_the_question() -> None:
    of = market(1, "student_t", False, sigma=0.6, nu_above_2=1.0)
    found, plain = (fit(of, noise, autocorrelation=False) for noise in ("student_t", "normal"))
    assert all(found.checks[name].passed for name in REQUIRED), found.checks
    lower, upper = found.interval("y_nu_above_2")
    assert lower < 1.0 < upper < 12.0
    assert found.checks["p_largest_residual"].passed
    assert not plain.checks["p_largest_residual"].passed  # control
    assert found.elpd > plain.elpd + 5


def test_a_stored_version_predicts_by_its_own_law(ar, tmp_path: Path) -> None:
    save_trace(ar.fitted.trace, tmp_path / TRACE)
    write_config(tmp_path, ar.experiment)
    table = ar.fitted.table
    days = [pd.Timestamp(table["Week"].iloc[-1]) + WEEK * ahead for ahead in range(1, 14)]
    weeks = table.iloc[[-1] * 13].assign(Week=days).drop(columns="Sales")
    served = _load_pyfunc(str(tmp_path)).predict(weeks, {"seed": 3})
    known = ar.fitted.predict(weeks, seed=3)
    np.testing.assert_allclose(served.drop(columns="Week"), known.drop(columns="Week"), rtol=1e-4)
    wide = (served["upper_94"] - served["lower_94"]).to_numpy()
    assert wide[4:].mean() > 1.1 * wide[0]
    # PyMC-Marketing reads the trace back, with the likelihood as it was.
    theirs = MMM.load(tmp_path / TRACE)
    assert theirs.model_config["likelihood"] == ar.fitted.mmm.model_config["likelihood"]


def test_a_forecast_knows_the_last_residual(ar, ar_world) -> None:
    """One week ahead, from each of many weeks, it is nearer than a forecast that knows none."""
    fitted, observed = ar.fitted, ar.fitted.observed
    knowing, plain = [], []
    for known in range(100, 156, 4):
        weeks = fitted.table.head(known + 1)
        for into, sales in (
            (knowing, fitted.response.forecast(weeks, np.random.default_rng(known), known)),
            (plain, fitted.response.sales(weeks, np.random.default_rng(known))[:, -1:]),
        ):
            assert sales.shape[1] == 1
            scores = score_weeks(observed[known : known + 1], sales, observed[:known])
            into.append(scores["crps"].item())
    assert np.mean(knowing) < 0.95 * np.mean(plain)
