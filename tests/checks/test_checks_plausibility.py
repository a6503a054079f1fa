"""Plausibility: decompositions, spend and leave-one-out estimates with one fault each."""

import math

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from mmm_demo.checks.gate import FAILED, NOT_ASSESSABLE, Check
from mmm_demo.checks.plausibility import (
    influence_check,
    odd_weeks_check,
    plausibility_checks,
    spend_outlier_check,
)
from mmm_demo.checks.pointwise import log_likelihood, loo
from mmm_demo.fits.fitted import Decomposition
from mmm_demo.fits.response import Response
from mmm_demo.settings.data import Accepted
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig
from mmm_demo.settings.limits import FIT_BATTERIES
from mmm_demo.sources.simulate import CHANNELS, simulate_market

SAMPLES, WEEKS = 50, 20
DATES = pd.date_range("2024-01-01", periods=WEEKS, freq="7D")
OBSERVED = np.full(WEEKS, 100.0)
ROAS = xr.DataArray(
    np.random.default_rng(2).normal([2.0, 4.0], 0.1, (SAMPLES, 2)),
    dims=("sample", "channel"),
    coords={"channel": ["TV", "Radio"]},
)


def parts(tv: float = 20.0, radio: float = 10.0, baseline: float = 70.0) -> Decomposition:
    """Return a decomposition that is the same in every draw and week."""

    def flat(value: float) -> xr.DataArray:
        return xr.DataArray(np.full((SAMPLES, WEEKS), value), dims=("sample", "week"))

    channels = xr.concat([flat(tv), flat(radio)], dim=pd.Index(["TV", "Radio"], name="channel"))
    nothing = flat(0.0).expand_dims(control=["none"])
    return Decomposition(
        channels.transpose("sample", "week", "channel"),
        nothing,
        nothing.rename(control="event"),
        flat(0.0),
        flat(baseline),
        flat(tv + radio + baseline),
    )


def by_name(checks: tuple[Check, ...]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_ordinary_decomposition_passes_with_its_numbers() -> None:
    checks = by_name(plausibility_checks(parts(), OBSERVED, ROAS, (1.0, 5.0)))
    assert all(check.passed for check in checks.values())
    assert {name: check.value for name, check in checks.items()} == {
        "negative_baseline_share": 0.0,
        "channel_share_max": pytest.approx(0.2),
        "media_share": pytest.approx(0.3),
        "roas_outside_range": 0.0,
    }
    assert checks["channel_share_max"].where == "TV"
    assert {check.stage for check in checks.values()} == {FIT_BATTERIES[2]}


@pytest.mark.parametrize(
    ("fault", "failed"),
    [
        ({"baseline": -1.0}, {"negative_baseline_share"}),
        ({"radio": 55.0}, {"channel_share_max"}),
        ({"tv": 45.0, "radio": 45.0}, {"media_share"}),
        ({"tv": 75.0, "radio": 30.0, "baseline": -5.0}, {"negative_baseline_share"}),
    ],
)
def test_each_fault_is_named(fault: dict[str, float], failed: set[str]) -> None:
    checks = plausibility_checks(parts(**fault), OBSERVED, ROAS)
    found = {check.name for check in checks if not check.passed}
    assert found >= failed
    assert ("channel_share_max" in found) == any(
        fault.get(name, 0) > 50 for name in ("tv", "radio")
    )


def test_baseline_counts_by_week_and_draw() -> None:
    given = parts()
    given.baseline[:, :2] = -1.0  # a tenth of the weeks
    check = plausibility_checks(given, OBSERVED, ROAS)[0]
    assert check.value == pytest.approx(0.1)
    assert not check.passed


@pytest.mark.parametrize("group", ["baseline", "channels"])
def test_unmeasured_parts_are_not_assessable(group: str) -> None:
    given = parts()
    getattr(given, group)[3, 4] = np.nan
    checks = by_name(plausibility_checks(given, OBSERVED, ROAS))
    spoilt = {
        "baseline": {"negative_baseline_share"},
        "channels": {"channel_share_max", "media_share"},
    }
    unknown = {name for name, check in checks.items() if check.status == NOT_ASSESSABLE}
    assert unknown == spoilt[group]


def test_roas_outside_the_range_names_the_channels() -> None:
    check = plausibility_checks(parts(), OBSERVED, ROAS, (3.0, 5.0))[-1]
    assert (check.name, check.value, check.passed) == ("roas_outside_range", 1.0, False)
    assert check.where.startswith("TV ")
    assert "Radio" not in check.where
    check = plausibility_checks(parts(), OBSERVED, ROAS, (2.5, 3.0))[-1]
    assert check.value == 2
    assert "Radio" in check.where


def test_no_range_no_check() -> None:
    names = by_name(plausibility_checks(parts(), OBSERVED, ROAS))
    assert "roas_outside_range" not in names


def test_roas_that_is_not_finite_is_not_assessable() -> None:
    spoilt = ROAS.copy()
    spoilt[0, 1] = np.nan
    check = plausibility_checks(parts(), OBSERVED, spoilt, (1.0, 5.0))[-1]
    assert check.status == NOT_ASSESSABLE
    assert check.where.startswith("Radio ")


def spend(**weeks: float) -> pd.DataFrame:
    """Return lognormal spend, some weeks of TV replaced, e.g. `_7=100.0`."""
    rng = np.random.default_rng(4)
    table = pd.DataFrame(rng.lognormal(0, 0.3, (WEEKS, 2)), columns=["TV", "Radio"])
    for week, value in weeks.items():
        table.loc[int(week.removeprefix("_")), "TV"] = value
    return table


def test_spend_outlier_is_named_with_its_week() -> None:
    usual = spend_outlier_check(spend(), DATES.to_numpy())
    assert (usual.passed, usual.stage) == (True, FIT_BATTERIES[2])
    check = spend_outlier_check(spend(_7=100.0), DATES.to_numpy())
    assert not check.passed
    assert check.where == "TV in the week of 2024-02-19"
    usual = np.quantile(np.delete(spend()["TV"], 7), 0.95)
    assert check.value == pytest.approx(100.0 / usual)


def test_off_weeks_do_not_make_a_flight_an_outlier() -> None:
    flighted = spend()
    flighted.loc[4:, "TV"] = 0.0  # four weeks on air: the zeros are no spend to compare with
    assert spend_outlier_check(flighted, DATES.to_numpy()).passed


def test_channel_with_one_week_of_spend_is_not_assessable() -> None:
    single = spend()
    single["TV"] = 0.0
    single.loc[3, "TV"] = 5.0
    check = spend_outlier_check(single, DATES.to_numpy())
    assert check.status == NOT_ASSESSABLE
    assert check.where.startswith("TV ")


def test_spend_that_is_not_finite_is_not_assessable() -> None:
    check = spend_outlier_check(spend(_7=math.nan), DATES.to_numpy())
    assert check.status == NOT_ASSESSABLE


def test_ordinary_markets_have_no_outlier_and_mistyped_ones_have() -> None:
    missed, flagged = 0, 0
    for seed in range(40):
        table = simulate_market(seed).table
        given = table[list(CHANNELS)].copy()
        flagged += not spend_outlier_check(given, table["Week"].to_numpy()).passed
        given.loc[30, "Search"] = 15 * given["Search"].mean()
        missed += spend_outlier_check(given, table["Week"].to_numpy()).passed
    assert flagged <= 2
    assert missed <= 4


def weekly() -> pd.DataFrame:
    table = spend().set_axis(DATES)
    return table.assign(Sales=np.linspace(90.0, 110.0, WEEKS))


def test_odd_weeks_are_named_with_their_column() -> None:
    channels = ["TV", "Radio"]
    usual = odd_weeks_check(weekly(), "Sales", channels)
    assert (usual.passed, usual.value, usual.stage) == (True, 0.0, FIT_BATTERIES[2])
    odd = weekly()
    odd.iloc[7, 0] /= 1000
    odd.iloc[9, 2] = 0.0
    check = odd_weeks_check(odd, "Sales", channels)
    assert (check.value, check.status) == (2.0, FAILED)
    assert check.where == f"Sales {DATES[9]:%Y-%m-%d}, TV {DATES[7]:%Y-%m-%d}"
    known = [
        Accepted(name, f"{DATES[0]:%Y-%m-%d}", f"{DATES[-1]:%Y-%m-%d}", "counted twice")
        for name in ("Sales", "TV")
    ]
    assert odd_weeks_check(odd, "Sales", channels, known[1:]).value == 1.0
    assert odd_weeks_check(odd, "Sales", channels, known).passed


def test_a_week_of_large_spend_is_flagged_once() -> None:
    large = weekly()
    large.iloc[7, 0] *= 1000
    assert odd_weeks_check(large, "Sales", ["TV", "Radio"]).passed  # `spend_outlier` has it
    large.iloc[7, 2] *= 1000
    assert odd_weeks_check(large, "Sales", ["TV", "Radio"]).value == 1.0


def test_weeks_that_are_not_finite_are_not_assessable() -> None:
    table = weekly()
    table.iloc[3, 1] = np.nan
    assert odd_weeks_check(table, "Sales", ["TV", "Radio"]).status == NOT_ASSESSABLE


def test_ordinary_markets_have_no_odd_weeks() -> None:
    for seed in range(20):
        table = simulate_market(seed).table.set_index("Week")
        assert odd_weeks_check(table, "Sales", CHANNELS).passed


def leave_one_out(observed: np.ndarray) -> Check:
    """Judge the exact posterior of a normal mean with known noise."""
    rng = np.random.default_rng(5)
    coords = {"chain": range(4), "draw": range(500)}
    means = rng.normal(np.nanmean(observed), 2 / math.sqrt(observed.size), (4, 500))
    sigma = xr.DataArray(np.full((4, 500), 2.0), dims=("chain", "draw"), coords=coords)
    mean = np.repeat(means.reshape(-1, 1), observed.size, axis=1)
    model = ModelConfig(channel_columns=("TV",), yearly_seasonality=0)
    weeks = pd.DataFrame({"Week": DATES[: observed.size], "Sales": observed})
    known = xr.Dataset({"y_sigma": sigma})
    response = Response(model, ScalingConfig(1.0, (1.0,)), known, weeks)
    likelihood = log_likelihood(response, mean)
    return influence_check(
        loo(likelihood, sigma.to_dataset(name="sigma").assign(mean=sigma * means))
    )


def test_week_that_carries_the_fit_is_named() -> None:
    observed = np.random.default_rng(6).normal(10, 2, 10)
    assert leave_one_out(observed).passed
    assert leave_one_out(observed).stage == FIT_BATTERIES[2]
    observed[4] += 60
    check = leave_one_out(observed)
    assert not check.passed
    assert check.value > 1
    assert check.where == "2024-01-29"


def test_estimate_that_is_not_finite_is_not_assessable() -> None:
    observed = np.random.default_rng(6).normal(10, 2, 10)
    observed[2] = np.nan
    check = leave_one_out(observed)
    assert check.status == NOT_ASSESSABLE
    assert check.where == "2024-01-15"
