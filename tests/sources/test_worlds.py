"""Each world shows its fault against the clean market of the same seed, and nothing else."""

from functools import cache

import numpy as np
import pandas as pd
import pytest
from faulty_worlds import FAULTS, simulate_world

from each import each
from helpers import PROJECT
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.simulate import (
    CHANNELS,
    CORRELATED_PAIR,
    MEAN_SALES,
    MEAN_SPEND,
    MIN_SALES,
    SimulatedMarket,
    adstock,
    draw_parts,
    geometric_weights,
    simulate_market,
)
from mmm_demo.tables.contract import validate_table

DEMO = load_experiment(PROJECT / "experiments" / "demo.yaml")
SEEDS = range(6)
CENT = 0.011  # sales and spend are rounded to cents
every_fault = each(fault=FAULTS)
every_seed = each(seed=SEEDS)
MEDIA_ONLY = (
    "reverse_causality",
    "collinear_channels",
    "wrong_adstock",
    "wrong_saturation",
    "spend_outliers",
    "time_varying_effect",
)
NEW_SPEND = {
    "unobserved_confounder": {"Search", "Social"},
    "reverse_causality": {"Search"},
    "collinear_channels": {"Social"},
    "wrong_seasonality": {"TV", "Radio"},
}


@cache
def world(fault: str | None, seed: int) -> SimulatedMarket:
    return simulate_world(fault, seed)


def rest(market: SimulatedMarket) -> np.ndarray:
    """Return sales without what media brought; shape (week,)."""
    return market.table["Sales"].to_numpy() - market.truth.contributions.sum(axis=1).to_numpy()


def added(fault: str, seed: int) -> np.ndarray:
    """Return what a fault adds to sales besides media; shape (week,)."""
    return rest(world(fault, seed)) - rest(world(None, seed))


def correlation(left: np.ndarray | pd.Series, right: np.ndarray | pd.Series) -> float:
    return float(np.corrcoef(left, right)[0, 1])


def test_there_are_ten_faults() -> None:
    assert len(FAULTS) == len(set(FAULTS)) == 10


def test_no_fault_is_the_clean_market() -> None:
    clean, market = simulate_market(1), simulate_world(None, 1)
    pd.testing.assert_frame_equal(market.table, clean.table, check_exact=True)
    pd.testing.assert_series_equal(market.truth.roas, clean.truth.roas, check_exact=True)


@every_fault
@every_seed
def test_table_is_one_that_the_demo_model_may_see(fault: str, seed: int) -> None:
    raw = world(fault, seed).table
    table, warnings = validate_table(raw, DEMO.model, DEMO.data, fault)
    assert list(table.columns) == list(raw.columns) == list(world(None, seed).table.columns)
    assert warnings == ()
    assert (table["Sales"] >= MIN_SALES).all() and (table[list(CHANNELS)] >= 0).all(axis=None)


@every_fault
@every_seed
def test_truth_adds_up(fault: str, seed: int) -> None:
    market, truth = world(fault, seed), world(fault, seed).truth
    inside = truth.contributions.sum()
    assert (truth.contributions >= 0).all(axis=None) and (inside > 0).all()
    assert np.allclose(truth.share, inside / market.table["Sales"].sum())
    real = market.table if fault != "spend_outliers" else world(None, seed).table
    later = truth.roas * real[list(CHANNELS)].sum() - inside  # carryover after the last week
    assert (later > -CENT).all() and (later < 0.1 * inside).all() and later.max() > 0


@each(fault=MEDIA_ONLY)
@every_seed
def test_a_fault_of_media_leaves_the_rest_of_sales_alone(fault: str, seed: int) -> None:
    assert np.allclose(added(fault, seed), 0.0, atol=CENT)
    changed = world(fault, seed).truth.contributions - world(None, seed).truth.contributions
    assert (changed.abs().max(axis=None) > 0.01 * MEAN_SALES) == (fault != "spend_outliers")


@every_fault
@every_seed
def test_a_fault_changes_only_its_own_spend_and_keeps_budgets(fault: str, seed: int) -> None:
    table, clean = world(fault, seed).table, world(None, seed).table
    differs = {name for name in table if not table[name].equals(clean[name])} - {"Sales"}
    if fault == "spend_outliers":
        assert len(differs) == 1 and differs <= {*CORRELATED_PAIR}
        return
    assert differs == NEW_SPEND.get(fault, set())
    for name in CHANNELS:
        assert table[name].mean() == pytest.approx(MEAN_SPEND[name], abs=CENT)


@every_fault
def test_same_seed_gives_the_same_world(fault: str) -> None:
    again, before = simulate_world(fault, 3), world(fault, 3)
    pd.testing.assert_frame_equal(again.table, before.table, check_exact=True)
    pd.testing.assert_series_equal(again.truth.roas, before.truth.roas, check_exact=True)
    assert not before.table["Sales"].equals(world(fault, 4).table["Sales"])


@every_fault
@each(weeks=[104, 260])
def test_length_is_as_asked(fault: str, weeks: int) -> None:
    market = simulate_world(fault, 5, weeks)
    assert len(market.table) == len(market.truth.contributions) == weeks
    assert np.isfinite(market.truth.contributions).all(axis=None)


@every_seed
def test_hidden_demand_drives_sales_and_two_channels(seed: int) -> None:
    demand = added("unobserved_confounder", seed)
    assert demand.std() == pytest.approx(0.08 * MEAN_SALES, rel=1e-3)
    assert correlation(demand[1:], demand[:-1]) > 0.5
    for name in CORRELATED_PAIR:
        assert correlation(demand, np.log(world("unobserved_confounder", seed).table[name])) > 0.5
        assert abs(correlation(demand, np.log(world(None, seed).table[name]))) < 0.3


@every_seed
def test_spend_follows_sales_and_their_noise(seed: int) -> None:
    noise = draw_parts(seed, 156).noise
    reacts, clean = world("reverse_causality", seed), world(None, seed)
    assert correlation(np.log(reacts.table["Search"]), rest(reacts)) > 0.8
    assert abs(correlation(np.log(clean.table["Search"]), rest(clean))) < 0.3
    assert correlation(np.log(reacts.table["Search"]), noise) > 0.25
    assert abs(correlation(np.log(clean.table["Search"]), noise)) < 0.25


@every_seed
def test_two_channels_move_as_one_and_bring_unequal_sales(seed: int) -> None:
    pair = list(CORRELATED_PAIR)
    together, clean = world("collinear_channels", seed), world(None, seed)
    assert correlation(*together.table[pair].to_numpy().T) > 0.97
    assert correlation(*clean.table[pair].to_numpy().T) < 0.9
    brought = together.truth.contributions[pair].sum()
    assert brought.max() / brought.min() == pytest.approx(4.0)
    assert brought.sum() == pytest.approx(clean.truth.contributions[pair].sum().sum())


def strongest_lag(market: SimulatedMarket, channel: str) -> int:
    """Return the lag at which spend and contributions of a channel go together most."""
    spend = market.table[channel].to_numpy()
    sales = market.truth.contributions[channel].to_numpy()
    return int(np.argmax([correlation(spend[: 156 - lag], sales[lag:]) for lag in range(12)]))


@every_seed
def test_carryover_is_late_and_long(seed: int) -> None:
    late, clean = world("wrong_adstock", seed), world(None, seed)
    assert strongest_lag(late, "Search") >= 2
    assert strongest_lag(clean, "Search") == 0
    assert late.truth.adstock_alpha.isna().all() and clean.truth.adstock_alpha.notna().all()
    spend = clean.table[list(CHANNELS)].sum()
    after = [(m.truth.roas * spend - m.truth.contributions.sum()).sum() for m in (late, clean)]
    assert after[0] > 2 * after[1] > 0


def test_carryover_outlasts_what_the_model_remembers() -> None:
    weeks = 0
    for seed in SEEDS:
        on_air = world(None, seed).table["TV"] > 0
        # Off air for longer than the clean carryover, but not for longer than the late one.
        silent = (on_air.rolling(9).sum() == 0) & (on_air.rolling(20).sum() > 0)
        late, clean = (world(fault, seed).truth for fault in ("wrong_adstock", None))
        assert (late.contributions["TV"][silent] > 0.001 * MEAN_SALES).all()
        assert (clean.contributions["TV"][silent] == 0).all()
        weeks += silent.sum()
    assert weeks > 10


@every_seed
def test_response_is_s_shaped(seed: int) -> None:
    bent, clean = world("wrong_saturation", seed), world(None, seed)
    assert bent.truth.saturation_lam.isna().all() and clean.truth.saturation_lam.notna().all()
    spend = clean.table[list(CHANNELS)]
    weights = geometric_weights(clean.truth.adstock_alpha.to_numpy())
    carried = pd.DataFrame(adstock(spend / spend.max(), weights)[:156], columns=list(CHANNELS))
    for name in CHANNELS:
        low = (carried[name] > 1e-6) & (carried[name] < carried[name].quantile(0.5))
        yields = [m.truth.contributions[name] / carried[name] for m in (bent, clean)]
        assert correlation(carried[name][low].rank(), yields[0][low].rank()) > 0.99
        assert correlation(carried[name][low].rank(), yields[1][low].rank()) < -0.99


@every_seed
def test_outliers_are_in_the_records_only(seed: int) -> None:
    wrong, clean = world("spend_outliers", seed), world(None, seed)
    assert wrong.table["Sales"].equals(clean.table["Sales"])
    pd.testing.assert_series_equal(wrong.truth.roas, clean.truth.roas, check_exact=True)
    differs = (wrong.table != clean.table).drop(columns="Week")
    name = differs.any().idxmax()
    assert differs.sum().sum() == differs[name].sum() == 3
    size = wrong.table[name][differs[name]] / clean.table[name].mean()
    assert size.between(9.99, 20.01).all()
    assert wrong.table[name].max() > 2 * clean.table[name].max()  # the scale is squashed


@every_seed
def test_baseline_falls_for_good(seed: int) -> None:
    step = added("trend_break", seed)
    first = int(np.argmin(np.diff(step))) + 1
    assert 156 // 3 <= first < 2 * 156 // 3
    assert np.ptp(step[:first]) < 2 * CENT and np.ptp(step[first:]) < 2 * CENT
    assert 0.18 <= (step[0] - step[-1]) / MEAN_SALES <= 0.22


@every_seed
def test_holidays_are_too_sharp_for_two_yearly_modes(seed: int) -> None:
    market = world("wrong_seasonality", seed)
    peaks = added("wrong_seasonality", seed)
    high = peaks > 0
    assert high.sum() == 9 and (np.diff(np.flatnonzero(high)) > 1).sum() == 2
    assert 0.35 * MEAN_SALES <= np.ptp(peaks) <= 0.45 * MEAN_SALES
    angle = 2 * np.pi * market.table["Week"].dt.day_of_year.to_numpy() / 365.25
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos)]
    columns = np.column_stack([np.ones(156), *waves])
    left = peaks - columns @ np.linalg.lstsq(columns, peaks)[0]
    assert left.var() > 0.6 * peaks.var()
    for name in ("TV", "Radio"):
        assert market.table[name][high].min() > 1.2 * MEAN_SPEND[name]
        assert (market.table[name][~high] > 0).mean() > 0.2  # on air outside of it as well


def kurtosis(values: np.ndarray) -> float:
    return float((((values - values.mean()) / values.std()) ** 4).mean())


@every_seed
def test_noise_has_heavy_tails_at_the_same_scale(seed: int) -> None:
    parts = draw_parts(seed, 156)
    noise = added("heavy_tails", seed) + parts.noise
    assert kurtosis(noise) > 4.5 > kurtosis(parts.noise)
    assert np.abs(noise).max() > 5 * parts.noise_scale > np.abs(parts.noise).max()
    # Half of a t with 2 degrees of freedom lies within 0.816 scales.
    assert 0.55 < np.median(np.abs(noise)) / parts.noise_scale < 1.1


def test_the_worst_week_of_heavy_tails_still_sells() -> None:
    lowest = [world("heavy_tails", seed).table["Sales"].min() for seed in range(40)]
    assert min(lowest) == MIN_SALES  # reached, so the limit is what keeps sales positive


@every_seed
def test_effect_of_the_two_largest_channels_changes_threefold(seed: int) -> None:
    moving, clean = world("time_varying_effect", seed), world(None, seed)
    largest = set(clean.truth.share.nlargest(2).index)
    drift = {}
    for name in CHANNELS:
        on = clean.truth.contributions[name] > 1.0
        factor = moving.truth.contributions[name][on] / clean.truth.contributions[name][on]
        slope = np.polyfit(factor.index / 155, np.log(factor), 1)[0]
        drift[name] = float(np.exp(slope))
        assert moving.truth.share[name] == pytest.approx(clean.truth.share[name], rel=0.02)
    assert {name for name in CHANNELS if abs(drift[name] - 1) > 1e-6} == largest
    assert sorted(drift[name] for name in largest) == pytest.approx([1 / 3, 3.0])


def test_unknown_fault_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ValueError, match="unknown fault 'heavy_tail'") as caught:
        simulate_world("heavy_tail", 1)
    assert all(fault in str(caught.value) for fault in FAULTS)


@every_fault
def test_too_few_weeks_are_refused(fault: str) -> None:
    with pytest.raises(ValueError, match="at least 104 weeks, got 103"):
        simulate_world(fault, 1, 103)
