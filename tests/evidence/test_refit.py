"""Refits of one compiled model: the same posterior as an ordinary fit, on any weeks.

One compilation serves the whole module, as it serves a battery.
"""

from copy import copy
from dataclasses import dataclass, replace
from types import SimpleNamespace

import arviz as az
import numpy as np
import pytest
import xarray as xr

from drawn_model import drawn_model
from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence.refit import Refit, Refitter
from mmm_demo.fits import sampler
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.trace import table_sha256
from mmm_demo.settings.experiment import SamplerConfig, free_parameters
from mmm_demo.settings.limits import EvidenceConfig

SAMPLING = EvidenceConfig(draws=1000, tune=500)


@pytest.fixture(scope="module")
def compilations():
    """Every compilation that the module's refits ask for."""
    made, compile_kernel = [], sampler.compile_kernel

    def counted(model):
        made.append(model)
        return compile_kernel(model)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sampler, "compile_kernel", counted)
        yield made


@pytest.fixture(scope="module")
def refitter(fitted, compilations):
    return Refitter(fitted.config, fitted.table, SAMPLING)


@pytest.fixture(scope="module")
def before(fitted):
    """The fit before any refit."""
    return SimpleNamespace(
        table=table_sha256(fitted.table),
        posterior=fitted.response.posterior.copy(deep=True),
        config=copy(fitted.config),
    )


@pytest.fixture(scope="module")
def whole(refitter, fitted, before):
    """The model refitted to its own weeks."""
    return refitter.fit(fitted.table, seed=1)


@pytest.fixture(scope="module")
def early(refitter, fitted, whole):
    """The same compiled model on the first two years, sales doubled."""
    weeks = fitted.table.head(104)
    return refitter.fit(weeks.assign(Sales=2 * weeks["Sales"]), seed=1)


def shifts(one: xr.Dataset, other: xr.Dataset) -> np.ndarray:
    """Return by how many Monte Carlo errors each parameter's means differ."""
    found = []
    for name in one.data_vars:
        errors = [az.mcse(draws[[name]])[name].to_numpy() for draws in (one, other)]
        means = [draws[name].mean(("chain", "draw")).to_numpy() for draws in (one, other)]
        found.append(np.ravel((means[0] - means[1]) / np.hypot(*errors)))
    return np.concatenate(found)


@pytest.mark.slow
def test_a_refit_has_the_posterior_of_the_ordinary_fit(whole, fitted):
    assert whole.converged, whole.convergence.reasons()
    ours, theirs = whole.response.posterior, fitted.trace["posterior"].to_dataset()
    assert set(ours.data_vars) == set(free_parameters(fitted.config))
    for name in ours.data_vars:
        assert ours[name].dims == theirs[name].dims, name
    moved = np.abs(shifts(ours, theirs))
    assert len(moved) == sum(free_parameters(fitted.config).values())
    assert moved.max() < 5
    for name in ours.data_vars:
        ratio = ours[name].std(("chain", "draw")) / theirs[name].std(("chain", "draw"))
        assert ratio.to_numpy() == pytest.approx(1.0, abs=0.2), name


@pytest.mark.slow
def test_other_weeks_of_another_length_are_really_fitted(early, whole, fitted):
    assert early.converged, early.convergence.reasons()
    assert np.abs(shifts(early.response.posterior, whole.response.posterior)).max() > 5
    response = early.response
    assert len(response.training) == 104
    mean = response.mean(response.training).mean(axis=0)
    assert mean == pytest.approx(2 * fitted.observed[:104], rel=0.35)
    assert mean.mean() == pytest.approx(2 * fitted.observed[:104].mean(), rel=0.02)


@pytest.mark.slow
def test_the_scaling_stays_the_first_tables(early, whole, refitter, fitted):
    largest = fitted.table[list(fitted.config.channel_columns)].max()
    assert refitter.scaling.target == fitted.observed.max()
    assert refitter.scaling.channels == tuple(largest)
    for refit in (early, whole):
        assert refit.response.scaling == refitter.scaling
        assert refit.response.config.scaling == refitter.scaling


@pytest.mark.slow
def test_refits_leave_the_fit_alone(before, whole, early, fitted):
    assert table_sha256(fitted.table) == before.table
    xr.testing.assert_identical(fitted.response.posterior, before.posterior)
    assert fitted.config == before.config
    assert whole.response.training.equals(fitted.table)


@dataclass(frozen=True)
class Few:
    """Fewer draws than evidence may ask for."""

    draws: int = 50
    tune: int = 50


@pytest.mark.slow
def test_too_few_draws_are_reported_unconverged_after_the_last_attempt(
    refitter, whole, fitted, monkeypatch
):
    hasty = copy(refitter)  # the same compiled model
    hasty.sampling = Few()
    attempts = []
    sample = hasty._attempt

    def counted(table, sampler, attempt, lift_tests):
        attempts.append(attempt)
        return sample(table, sampler, attempt, lift_tests)

    monkeypatch.setattr(hasty, "_attempt", counted)
    refit = hasty.fit(fitted.table, seed=1)
    assert tuple(attempts) == ladder(SamplerConfig().target_accept)
    assert not refit.converged
    assert "ess_bulk_min" in {check.name for check in refit.convergence.failures}
    assert refit.response.posterior.sizes["draw"] == Few().draws
    assert refit.response.posterior.sizes["chain"] == SamplerConfig().chains


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_and_another_seed_the_same_posterior(
    refitter, whole, fitted
):
    first = whole.response.posterior
    again, other = (refitter.fit(fitted.table, seed=seed).response.posterior for seed in (1, 2))
    xr.testing.assert_identical(again, first)
    assert not np.array_equal(other["adstock_alpha"], first["adstock_alpha"])
    assert np.abs(shifts(other, first)).max() < 5


def test_a_refit_has_the_very_draws_of_a_fit_with_its_settings():
    drawn = drawn_model()
    settings = SamplerConfig(draws=200, tune=200, seed=3)
    attempt = ladder(settings.target_accept)[0]
    refit = Refitter(drawn.config, drawn.table, SAMPLING, cores=1)
    ours = refit._attempt(drawn.table, settings, attempt, None).response.posterior
    fit = sampler.sample_posterior(drawn.config, drawn.table, settings, attempt)
    theirs = fit.trace["posterior"].to_dataset()
    assert set(ours.data_vars) == set(theirs.data_vars)
    for name in ours.data_vars:
        assert np.array_equal(ours[name], theirs[name]), name


class Sampled(Exception):
    """The sampler was given a table."""


@pytest.fixture
def unsampled(monkeypatch):
    """A refitter that says so instead of sampling."""

    def attempt(*_):
        raise Sampled

    monkeypatch.setattr(Refitter, "_attempt", attempt)
    drawn = drawn_model()
    return Refitter(drawn.config, drawn.table, SAMPLING)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["Sales", "TV", "Trend"])
def test_a_number_that_is_empty_or_infinite_is_refused_before_sampling(unsampled, column, bad):
    clean = drawn_model().table
    for week in (0, 50, len(clean) - 1):
        table = clean.astype({column: "float64"})
        table.loc[week, column] = bad
        with pytest.raises(ValueError, match=rf"empty or infinite {column}$"):
            unsampled.fit(table, seed=1)
    with pytest.raises(Sampled):
        unsampled.fit(clean, seed=1)


def test_every_column_with_such_a_number_is_named(unsampled):
    table = drawn_model().table.copy()
    table.loc[3, ["Sales", "TV"]] = np.nan
    with pytest.raises(ValueError, match=r"empty or infinite Sales, TV$"):
        unsampled.fit(table, seed=1)


@pytest.mark.slow
def test_one_compilation_at_most_served_all(compilations, whole, early):
    own = [
        m
        for m in compilations
        if list(m.coords["channel"]) == list(whole.response.config.channel_columns)
    ]
    assert len(own) <= 1  # none where another module needed the same model before


@pytest.mark.slow
def test_a_refit_without_checks_or_with_a_failed_one_is_not_converged(whole):
    assert not Refit(whole.response, GateReport(())).converged
    for check in whole.convergence.checks:
        unmeasured = [
            replace(item, value=float("nan")) if item is check else item
            for item in whole.convergence.checks
        ]
        assert not Refit(whole.response, GateReport(tuple(unmeasured))).converged, check.name


def test_a_lag_longer_than_the_longest_is_refused():
    with pytest.raises(ValueError, match="lag of 4 weeks is longer than the longest, 3"):
        Refitter(drawn_model().config, drawn_model().table, SAMPLING, longest_lag=3)
