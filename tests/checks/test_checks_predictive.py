"""Predictive checks: exact posteriors of right and wrong models, and what each check sees."""

import math
from collections.abc import Callable

import numpy as np
import pytest

from mmm_demo.checks.convergence import coverage
from mmm_demo.checks.gate import NOT_ASSESSABLE, REQUIRED, Check
from mmm_demo.checks.predictive import predictive_checks
from mmm_demo.forms.autocorrelation import autocorrelated
from mmm_demo.forms.noise.normal import Normal
from mmm_demo.settings.limits import FIT_BATTERIES

WEEKS, NOISE, SAMPLES = 156, 0.06, 400
YEAR = 2 * np.pi * np.arange(WEEKS) / 52.18
Replica = tuple[np.ndarray, np.ndarray, np.ndarray]


def exact_fit(seed: int, disturb: Callable[[np.random.Generator], np.ndarray]) -> Replica:
    """Return sales, predictive draws and means of a linear model with its exact posterior.

    Level, trend, a yearly wave, a channel and noise; `disturb` adds what the model does not know.
    """
    rng = np.random.default_rng(seed)
    spend = np.tanh(rng.lognormal(0, 0.68, (WEEKS, 3)) / 4)
    known = [np.ones(WEEKS), np.linspace(0, 1, WEEKS), np.sin(YEAR), np.cos(YEAR), *spend.T]
    known = np.column_stack(known)
    truth = known @ [0.6, 0.1, 0.06, -0.05, 0.2, 0.15, 0.1]
    observed = truth + rng.normal(0, NOISE, WEEKS) + disturb(rng)
    inverse = np.linalg.inv(known.T @ known)
    best = inverse @ known.T @ observed
    freedom = WEEKS - known.shape[1]
    variance = ((observed - known @ best) ** 2).sum() / rng.chisquare(freedom, SAMPLES)
    sigma = np.sqrt(variance)[:, None]
    effects = best + sigma * (rng.normal(size=(SAMPLES, len(best))) @ np.linalg.cholesky(inverse).T)
    mean = effects @ known.T
    return observed, mean + sigma * rng.normal(size=mean.shape), mean


def nothing(_: np.random.Generator) -> np.ndarray:
    return np.zeros(WEEKS)


def heavy_tails(rng: np.random.Generator) -> np.ndarray:
    return NOISE * rng.standard_t(2, WEEKS)


def trend_break(_: np.random.Generator) -> np.ndarray:
    return np.where(np.arange(WEEKS) > 100, 4 * NOISE, 0.0)


def wrong_season(_: np.random.Generator) -> np.ndarray:
    return 1.5 * NOISE * np.sin(3 * YEAR)


def one_event(_: np.random.Generator) -> np.ndarray:
    return np.where(np.arange(WEEKS) == 77, 10 * NOISE, 0.0)


def failed(replica: Replica) -> set[str]:
    return {check.name for check in predictive_checks(*replica) if not check.passed}


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_right_model_is_rarely_flagged() -> None:
    flagged = [seed for seed in range(60) if failed(exact_fit(seed, nothing))]
    assert len(flagged) <= 3, flagged


@pytest.mark.parametrize(
    ("fault", "seen_by"),
    [
        (heavy_tails, "p_largest_residual"),
        (one_event, "p_largest_residual"),
        (trend_break, "p_lag1_residuals"),
        (wrong_season, "p_lag1_residuals"),
    ],
)
def test_fault_is_seen_in_most_worlds(fault: Callable, seen_by: str) -> None:
    seen = [seen_by in failed(exact_fit(seed, fault)) for seed in range(12)]
    assert sum(seen) >= 9, seen


def hanging_together(seed: int, one_step: bool) -> Replica:
    """Return a world of AR(1) residuals, judged by the law of each week given those before it.

    Where not, by that of weeks of which none is known, as if residuals did not hang together.
    """
    form, rng = autocorrelated(Normal()), np.random.default_rng(seed)
    known = {"sigma": np.array([NOISE]), "rho": np.array([0.6])}
    mean = np.tile(1 + 0.1 * np.sin(YEAR), (SAMPLES, 1))
    observed = form.draw(mean[0], rng, **known)
    if one_step:
        draws = form.draw_each(observed, mean, rng, **known)
        return observed, draws, form.expected(observed, mean, **known)
    return observed, mean + rng.normal(size=mean.shape) * form.spread(**known), mean


def test_residuals_that_hang_together_are_judged_by_what_is_new_in_each_week() -> None:
    own, plain = (
        [failed(hanging_together(seed, on)) for seed in range(40)] for on in (True, False)
    )
    assert sum(map(bool, own)) <= 4, own
    assert sum("p_lag1_residuals" in names for names in plain) >= 36  # control
    observed, draws, mean = hanging_together(3, one_step=True)
    observed = observed + heavy_tails(np.random.default_rng(3)) * 3
    assert "p_largest_residual" in failed((observed, draws, mean))  # control: nothing is forgiven


def test_coverage_says_what_is_taken_as_known() -> None:
    replica = exact_fit(0, nothing)
    plain, given = (
        by_name(predictive_checks(*replica, given=known))["coverage_94"].where
        for known in ("", "each week given the sales before it")
    )
    assert plain == "share of weeks inside the 94 % interval"
    assert given == f"{plain}, each week given the sales before it"


def test_maximum_that_the_model_never_makes() -> None:
    observed, draws, mean = exact_fit(0, nothing)
    observed[np.argmax(observed)] = draws.max() + 1
    checks = by_name(predictive_checks(observed, draws, mean))
    assert checks["p_maximum"].value == 0
    assert not checks["p_maximum"].passed


def test_the_extremes_name_their_weeks() -> None:
    observed, draws, mean = exact_fit(0, nothing)
    observed[40] -= 30 * NOISE
    observed[9] = draws.max() + 1
    checks = by_name(predictive_checks(observed, draws, mean))
    assert checks["p_maximum"].where == f"week 10 of {WEEKS}"
    assert checks["p_largest_residual"].where == f"week 41 of {WEEKS}"
    observed[9] = np.nan
    checks = by_name(predictive_checks(observed, draws, mean))
    assert checks["p_maximum"].where == checks["p_largest_residual"].where == ""


def test_every_draw_above_the_maximum_fails_too() -> None:
    observed, draws, mean = exact_fit(0, nothing)
    assert by_name(predictive_checks(observed, draws + 5, mean))["p_maximum"].value == 0


def test_large_residual_counts_in_both_directions() -> None:
    falls = np.linspace(1, 3, SAMPLES)  # the model makes one fall in each draw, and no rise
    draws = np.zeros((SAMPLES, WEEKS))
    draws[:, 9] = -falls
    observed = np.zeros(WEEKS)
    observed[50] = -2.0
    mean = np.zeros_like(draws)
    check = by_name(predictive_checks(observed, draws, mean))["p_largest_residual"]
    assert check.value == pytest.approx(1, abs=0.01)


def test_overconfident_model_fails_the_required_coverage() -> None:
    observed, draws, mean = exact_fit(0, nothing)
    narrow = mean + (draws - mean) / 4
    checks = by_name(predictive_checks(observed, narrow, mean))
    assert all(not checks[f"coverage_{level}"].passed for level in (50, 80, 94))
    assert checks["coverage_94"].value < 0.6


def test_coverage_of_known_draws() -> None:
    draws = np.tile(np.linspace(0, 1, 1001)[:, None], (1, 4))
    assert coverage(np.array([0.0, 0.1, 0.5, 0.98]), draws, 0.94) == 0.5
    assert coverage(np.array([0.2, 0.3, 0.5, 0.7]), draws, 0.50) == 0.75


def test_the_required_check_keeps_the_projects_limit_unless_tightened() -> None:
    replica = exact_fit(0, nothing)
    check = by_name(predictive_checks(*replica))["coverage_94"]
    assert (check.comparison, check.limit) == REQUIRED["coverage_94"]
    assert not check.loosened
    tighter = by_name(predictive_checks(*replica, coverage_94_min=0.9))["coverage_94"]
    assert tighter.limit == 0.9
    assert by_name(predictive_checks(*replica, coverage_94_min=0.5))["coverage_94"].loosened


@pytest.mark.parametrize("spoilt", [0, 1, 2])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_values_that_are_not_finite_are_not_assessable(spoilt: int, value: float) -> None:
    replica = [values.copy() for values in exact_fit(0, nothing)]
    replica[spoilt].flat[5] = value
    checks = predictive_checks(*replica)
    assert len(checks) == 6
    assert {check.status for check in checks} == {NOT_ASSESSABLE}
    assert {check.stage for check in checks} == {FIT_BATTERIES[0]}


@pytest.mark.parametrize(
    ("draws", "mean"), [((400, 155), (400, 156)), ((400, 155), (400, 155)), ((0, 156), (0, 156))]
)
def test_shapes_that_do_not_belong_together_are_refused(draws: tuple, mean: tuple) -> None:
    with pytest.raises(ValueError, match=r"must have shape \(sample, week\).*got"):
        predictive_checks(np.ones(WEEKS), np.ones(draws), np.ones(mean))
