"""Advice after refused sampling: what was not tried, by what was measured, in order."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from helpers import convergent_trace
from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.checks.next_steps import Ground, Tried, advised, ground_of, steps
from mmm_demo.fits.ladder import Attempt
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig

MODEL = ModelConfig(channel_columns=("TV", "Radio"), control_columns=("Trend",))
SAMPLER = SamplerConfig(draws=1000, tune=700)
PLAIN = Ground(SAMPLER, lag=4)
TANGLED = Ground(
    SAMPLER,
    lag=12,
    alike=(("TV", "Radio", 0.93),),
    always_on=("TV",),
    entangled=(("intercept", "saturation_beta[TV]", -0.97),),
)
LIMITS = {
    "rhat_max": ("<", 1.01),
    "ess_bulk_min": (">", 400.0),
    "ess_tail_min": (">", 400.0),
    "divergences": ("<=", 0.0),
    "chains": (">=", 4.0),
    "bfmi_min": (">=", 0.3),
    "max_depth_share": ("<=", 0.05),
}
GOOD = {
    "rhat_max": 1.002,
    "ess_bulk_min": 900.0,
    "ess_tail_min": 800.0,
    "divergences": 0.0,
    "chains": 4.0,
    "bfmi_min": 0.8,
    "max_depth_share": 0.0,
}


def attempt(
    target_accept: float, where: str = "", adaptation: str = "low_rank", **values: float
) -> Tried:
    checks = [
        Check(name, "convergence", value, *LIMITS[name], where, "do what is always said")
        for name, value in (GOOD | values).items()
    ]
    return Tried(Attempt(target_accept, adaptation), GateReport(tuple(checks)))


def told(*attempts: Tried, ground: Ground = PLAIN) -> list[str]:
    return [check.advice for check in advised(attempts[-1].checks, attempts, ground).failures]


def test_more_divergences_at_smaller_steps_ask_for_no_smaller_steps() -> None:
    attempts = (attempt(0.98, divergences=2), attempt(0.99, adaptation="diag", divergences=19))
    (advice,) = told(*attempts, ground=TANGLED)
    assert advice == (
        "by attempt: 2 (low_rank, target_accept 0.98), 19 (diag, target_accept 0.99). Next, in "
        "this order: (1) make one channel of TV and Radio, whose spend moves together "
        "(correlation 0.93), with data.groups, or calibrate one of them with a lift test; (2) "
        "narrow the prior of intercept or saturation_beta[TV], "
        "which the data tell only together (correlation of their draws -0.97); (3) shorten "
        "adstock_max_lag from 12 to 6; (4) raise tune from 700 to 1400"
    )
    for ground in (PLAIN, TANGLED):
        assert not any("target_accept" in step for step in steps(attempts, ground))


def test_far_fewer_divergences_at_smaller_steps_ask_for_smaller_ones_first() -> None:
    first, *rest = steps((attempt(0.98, divergences=40), attempt(0.99, divergences=3)), TANGLED)
    assert first == (
        "raise target_accept to 0.995: from the first to the last attempt (0.99) divergences fell "
        "from 40 to 3"
    )
    assert rest == steps((attempt(0.98, divergences=2), attempt(0.99, divergences=19)), TANGLED)
    tried = (attempt(0.98, divergences=40), attempt(0.995, divergences=3))
    assert not any("target_accept" in step for step in steps(tried, PLAIN))
    (only,) = [step for step in steps((attempt(0.99, divergences=3),), PLAIN) if "accept" in step]
    assert only == "raise target_accept from 0.99 to 0.995"


@pytest.mark.parametrize(
    ("values", "step"),
    [
        ({"ess_bulk_min": 310.0}, "raise draws from 1000 to 2000"),
        ({"ess_bulk_min": 390.0}, "raise draws from 1000 to 1500"),
        ({"ess_tail_min": 120.0}, "raise draws from 1000 to 4500"),
        ({"rhat_max": 1.013}, "raise draws from 1000 to 2000 and tune from 700 to 1400"),
    ],
)
def test_chains_that_agree_need_draws_only_as_many_as_are_missing(values, step) -> None:
    attempts = (attempt(0.98, **values), attempt(0.99, **values))
    assert steps(attempts, TANGLED) == [step]


@pytest.mark.parametrize(
    "values",
    [
        {"rhat_max": 1.6, "ess_bulk_min": 7.0},
        {"ess_bulk_min": 20.0},
        {"rhat_max": math.nan},
        {"bfmi_min": 0.1},
        {"max_depth_share": 0.5},
    ],
)
def test_chains_that_disagree_need_another_model_before_more_draws(values) -> None:
    found = steps((attempt(0.98, **values), attempt(0.99, **values)), TANGLED)
    assert found[0].startswith("make one channel of TV and Radio")
    assert found[1].startswith("narrow the prior of intercept or saturation_beta[TV]")
    assert "raise tune from 700 to 1400" in found[2:]


def test_where_nothing_is_entangled_the_worst_parameter_and_always_on_channels_are_named() -> None:
    bad = attempt(0.99, "saturation_lam[TV]", rhat_max=1.3, ess_bulk_min=9.0)
    ground = Ground(SAMPLER, lag=4, always_on=("TV", "Radio"))
    found = steps((bad, bad), ground)
    assert found == [
        "narrow the priors of intercept and saturation_beta: TV, Radio never paused, so the data "
        "do not show sales without",
        "narrow the prior of saturation_lam[TV], which the chains agree on least",
        "raise tune from 700 to 1400",
        "raise draws from 1000 to 2000",
    ]
    unmeasured = attempt(0.99, "y (missing)", rhat_max=math.nan)
    assert not any("missing" in step for step in steps((unmeasured,), PLAIN))


def test_every_check_tells_what_each_attempt_gave_and_the_steps_stand_once() -> None:
    attempts = (
        attempt(0.98, rhat_max=1.2, divergences=2),
        attempt(0.99, adaptation="diag", rhat_max=1.3, divergences=9),
    )
    rhat, divergences = told(*attempts)
    ways = [str(tried.attempt) for tried in attempts]
    assert rhat == f"by attempt: 1.2 ({ways[0]}), 1.3 ({ways[1]})"
    assert divergences.startswith(f"by attempt: 2 ({ways[0]}), 9 ({ways[1]}). Next, in this order")
    report = advised(attempts[-1].checks, attempts, PLAIN)
    assert report.reasons().count("Next, in this order") == 1
    assert [(c.name, c.value) for c in report.checks] == [
        (c.name, c.value) for c in attempts[-1].checks.checks
    ]


def test_checks_that_pass_or_that_only_lack_chains_keep_their_advice() -> None:
    good = attempt(0.98)
    assert advised(good.checks, [good], PLAIN) is good.checks
    few = attempt(0.98, chains=2)
    assert told(few) == ["do what is always said"]


# What the steps are chosen by


def table(**spend: np.ndarray) -> pd.DataFrame:
    return pd.DataFrame({"Sales": 1.0, "Trend": np.arange(104.0)} | spend)


def test_what_spend_and_draws_say_is_measured() -> None:
    rng = np.random.default_rng(3)
    tv = rng.gamma(3.0, 100.0, 104)
    posterior = convergent_trace(MODEL)["posterior"].to_dataset().copy(deep=True)
    found = ground_of(MODEL, SAMPLER, table(TV=tv, Radio=tv + rng.normal(0, 20, 104)), posterior)
    ((first, second, correlation),) = found.alike
    assert (first, second) == ("TV", "Radio")
    assert correlation > 0.9
    assert found.always_on == ("TV", "Radio")
    assert found.entangled == ()  # independent draws
    assert found.lag == MODEL.adstock_max_lag
    beta = posterior["saturation_beta"]
    beta[:, :, 0] = 1 - posterior["intercept_contribution"].to_numpy()
    radio = np.where(np.arange(104) % 2, rng.gamma(3.0, 100.0, 104), 0.0)
    found = ground_of(MODEL, SAMPLER, table(TV=tv, Radio=radio), posterior)
    assert found.alike == ()
    assert found.always_on == ("TV",)
    ((first, second, correlation),) = found.entangled
    assert {first, second} == {"intercept", "saturation_beta[TV]"}
    assert correlation == pytest.approx(-1.0)


def test_a_parameter_that_stands_still_is_no_pair() -> None:
    posterior: xr.Dataset = convergent_trace(MODEL)["posterior"].to_dataset().copy(deep=True)
    posterior["y_sigma"][:] = 1.0
    spend = np.random.default_rng(4).gamma(3.0, 100.0, (2, 104))
    assert ground_of(MODEL, SAMPLER, table(TV=spend[0], Radio=spend[1]), posterior).entangled == ()
