"""Each world shows its fault against the clean market of the same seed, and nothing else."""

import numpy as np
import pytest
from mendable_worlds import FOLLOWING, HOLIDAYS, MENDABLE, holiday_weeks, mendable_world

from each import each
from helpers import PROJECT
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.simulate import CHANNELS, MEAN_SALES, draw_parts, simulate_market
from mmm_demo.tables.contract import validate_table

DEMO = load_experiment(PROJECT / "experiments" / "demo.yaml")
SEEDS = (1, 2, 3, 4)
SALES_ONLY = ("level_shift", "drifting_baseline", "heavy_tails", "holiday_spikes", "ar_demand")


def rest(market):
    """Return sales without what media brought; shape (week,)."""
    return market.table["Sales"].to_numpy() - market.truth.contributions.sum(axis=1).to_numpy()


def added(fault, seed):
    return rest(mendable_world(fault, seed)) - rest(simulate_market(seed))


@each(fault=(*MENDABLE, FOLLOWING), seed=SEEDS)
def test_every_world_is_a_table_that_a_model_may_see_and_the_same_each_time(fault, seed):
    market = mendable_world(fault, seed)
    table, _ = validate_table(market.table, DEMO.model, DEMO.data, fault, None)
    assert len(table) == 156
    assert market.table.equals(mendable_world(fault, seed).table)
    assert not market.table["Sales"].equals(simulate_market(seed).table["Sales"])


@each(fault=SALES_ONLY, seed=SEEDS)
def test_what_sells_without_media_leaves_spend_and_its_effect_alone(fault, seed):
    market, clean = mendable_world(fault, seed), simulate_market(seed)
    assert market.table[[*CHANNELS]].equals(clean.table[[*CHANNELS]])
    np.testing.assert_allclose(market.truth.contributions, clean.truth.contributions)


@each(fault=("delayed_carryover", "hill_curves"), seed=SEEDS)
def test_media_faults_leave_spend_and_the_rest_of_sales_alone(fault, seed):
    market = mendable_world(fault, seed)
    assert market.table[[*CHANNELS]].equals(simulate_market(seed).table[[*CHANNELS]])
    assert np.ptp(added(fault, seed)) < 0.03  # sales are rounded to cents


@each(seed=SEEDS)
def test_one_channel_is_late_and_the_others_are_as_they_were(seed):
    late, clean = (of.truth.contributions for of in (
        mendable_world("delayed_carryover", seed), simulate_market(seed)
    ))  # fmt: skip
    moved = [name for name in CHANNELS if not np.allclose(late[name], clean[name])]
    assert len(moved) == 1
    spend = simulate_market(seed).table[moved[0]].to_numpy()

    def follows(contributions, lag):
        return np.corrcoef(spend[:-lag], contributions[moved[0]].to_numpy()[lag:])[0, 1]

    lags = range(1, 7)
    assert max(lags, key=lambda lag: follows(late, lag)) in (1, 2, 3, 4, 5)
    assert follows(late, 3) > follows(clean, 3)


@each(seed=SEEDS)
def test_the_baseline_drifts_over_months_and_by_a_few_percent(seed):
    path = added("drifting_baseline", seed)
    path = path - path.mean()
    assert 0.05 < path.std() / MEAN_SALES < 0.11
    assert np.corrcoef(path[4:], path[:-4])[0, 1] > 0.8
    assert abs(np.polyfit(np.arange(len(path)), path, 1)[0]) * len(path) < 0.02 * MEAN_SALES


@each(seed=SEEDS)
def test_holidays_are_in_the_same_weeks_each_year_and_nowhere_else(seed):
    dates = draw_parts(seed, 156).dates
    inside = holiday_weeks(dates)
    assert inside.shape == (156, len(HOLIDAYS))
    assert all(2 <= count <= 4 for count in inside.sum(axis=0))
    extra = added("holiday_spikes", seed)
    usual = np.median(extra)
    on = inside.any(axis=1)
    assert np.ptp(extra[~on]) < 0.03
    assert ((extra[on] - usual) > 0.19 * MEAN_SALES).all()


def test_a_week_has_the_holiday_that_falls_on_any_of_its_days():
    import pandas as pd

    weeks = pd.DatetimeIndex(["2023-12-18", "2023-12-25", "2023-12-26", "2024-01-02"])
    assert holiday_weeks(weeks)[:, 3].tolist() == [0.0, 1.0, 0.0, 0.0]
    assert holiday_weeks(weeks)[:, 0].tolist() == [0.0, 0.0, 1.0, 0.0]


@each(seed=SEEDS)
def test_demand_follows_itself_and_is_as_large_as_the_noise(seed):
    clean = draw_parts(seed, 156)
    noise = added("ar_demand", seed) + clean.noise
    noise = noise - noise.mean()
    assert np.corrcoef(noise[1:], noise[:-1])[0, 1] > 0.3
    assert 0.5 < noise.std() / clean.noise_scale < 1.6


def test_no_other_fault_is_known():
    with pytest.raises(ValueError, match="unknown fault 'level'; choose one of level_shift"):
        mendable_world("level", 1)
    assert mendable_world(None, 3).table.equals(simulate_market(3).table)
