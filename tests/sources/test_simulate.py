"""The simulated market keeps what its documentation promises, on every seed."""

import itertools

import numpy as np
import pandas as pd
import pytest
from decision_worlds import World

from each import each
from mmm_demo.fits.trace import table_sha256
from mmm_demo.sources.simulate import (
    CARRYOVER_WEEKS,
    CHANNELS,
    CONTROLS,
    CORRELATED_PAIR,
    MEAN_SALES,
    SimulatedMarket,
    draw_parts,
    really_brings,
    simulate_market,
)

SEEDS = range(30)
MARKETS = {seed: simulate_market(seed) for seed in SEEDS}
WEEKS = 156
every_seed = each(seed=SEEDS)


def rest(market: SimulatedMarket) -> np.ndarray:
    """Return sales without what media brought: baseline, controls, season and noise."""
    return market.table["Sales"].to_numpy() - market.truth.contributions.sum(axis=1).to_numpy()


def explained(market: SimulatedMarket) -> tuple[np.ndarray, np.ndarray]:
    """Return everything but media and noise as columns, and their least-squares weights."""
    angle = 2 * np.pi * market.table["Week"].dt.day_of_year.to_numpy() / 365.25
    waves = [wave(k * angle) for k in (1, 2) for wave in (np.sin, np.cos)]
    columns = np.column_stack(
        [np.ones(len(angle)), *(market.table[name] for name in CONTROLS), *waves]
    )
    return columns, np.linalg.lstsq(columns, rest(market))[0]


@every_seed
def test_table_has_the_promised_form(seed: int) -> None:
    table = MARKETS[seed].table
    assert list(table.columns) == ["Week", "Sales", *CHANNELS, *CONTROLS]
    assert len(table) == WEEKS >= 104 and len(CHANNELS) >= 4
    assert (table["Week"].dt.day_of_week == 0).all()
    assert (table["Week"].diff().dropna() == pd.Timedelta(days=7)).all()
    numbers = table.drop(columns="Week")
    assert np.isfinite(numbers.to_numpy()).all()
    assert (table["Sales"] > 0).all()
    assert (table[list(CHANNELS)].to_numpy() >= 0).all()
    assert (numbers.nunique() > 1).all()


@every_seed
def test_true_shares_are_between_2_and_15_percent(seed: int) -> None:
    market, truth = MARKETS[seed], MARKETS[seed].truth
    assert list(truth.share.index) == list(CHANNELS)
    assert truth.share.between(0.02, 0.15).all(), truth.share
    total = market.table["Sales"].sum()
    for channel in CHANNELS:
        share = truth.contributions[channel].sum() / total
        assert truth.share[channel] == pytest.approx(share)


@every_seed
def test_one_pair_of_channels_is_correlated(seed: int) -> None:
    assert np.corrcoef(*MARKETS[seed].table[list(CORRELATED_PAIR)].to_numpy().T)[0, 1] >= 0.5


def noise_share(market: SimulatedMarket) -> float:
    """Return the noise's standard deviation as a share of mean sales, unbiased."""
    columns, weights = explained(market)
    residual = rest(market) - columns @ weights
    spread = np.sqrt((residual**2).sum() / (len(residual) - columns.shape[1]))
    return float(spread / market.table["Sales"].mean())


@every_seed
def test_noise_is_5_to_7_percent_of_mean_sales(seed: int) -> None:
    # With 149 degrees of freedom an estimate scatters by 6 % around the truth: allow three times.
    assert 0.05 * 0.82 < noise_share(MARKETS[seed]) < 0.07 * 1.18


def test_noise_is_5_to_7_percent_of_mean_sales_over_all_seeds() -> None:
    shares = [noise_share(market) for market in MARKETS.values()]
    assert 0.0565 < np.mean(shares) < 0.0635
    assert np.mean([share >= 0.05 for share in shares]) > 0.8


@every_seed
def test_season_and_controls_drive_sales(seed: int) -> None:
    _, weights = explained(MARKETS[seed])
    trend, promotion = weights[1:3] / MEAN_SALES
    assert 0.02 < trend < 0.18
    assert 0.05 < promotion < 0.25
    season = weights[3:] / MEAN_SALES
    assert (np.abs(season) < 0.13).all()


def test_season_is_seen_over_all_seeds() -> None:
    seasons = [np.abs(explained(market)[1][3:]).max() for market in MARKETS.values()]
    assert np.median(seasons) > 0.05 * MEAN_SALES


@every_seed
def test_trend_is_a_control_column(seed: int) -> None:
    market = MARKETS[seed]
    trend = market.table["Trend"]
    assert (trend.diff().dropna() > 0).all()
    assert np.allclose(trend.diff().dropna(), trend.diff().iloc[1])
    assert set(market.table["Promotion"]) == {0.0, 1.0}


def replayed(market: SimulatedMarket, channel: str, spend: np.ndarray) -> np.ndarray:
    """Return adstocked and saturated spend, computed week by week from the definition."""
    truth = market.truth
    alpha, lam = truth.adstock_alpha[channel], truth.saturation_lam[channel]
    weights = [alpha**lag for lag in range(CARRYOVER_WEEKS)]
    weights = [weight / sum(weights) for weight in weights]
    top = market.table[channel].max()
    response = []
    for week in range(len(spend)):
        lags = range(min(CARRYOVER_WEEKS, week + 1))
        carried = sum(weights[lag] * spend[week - lag] for lag in lags) / top
        response.append((1 - np.exp(-lam * carried)) / (1 + np.exp(-lam * carried)))
    return np.array(response)


@pytest.mark.parametrize(("seed", "channel"), [*itertools.product((0, 1, 2), CHANNELS)], ids=str)
def test_true_roas_includes_the_carryover_after_the_last_week(seed: int, channel: str) -> None:
    market, truth = MARKETS[seed], MARKETS[seed].truth
    spend = market.table[channel].to_numpy()
    after = np.concatenate([spend, np.zeros(CARRYOVER_WEEKS)])
    shape = replayed(market, channel, after)
    inside = truth.contributions[channel].to_numpy()
    scale = inside.sum() / shape[:WEEKS].sum()
    assert np.allclose(inside, shape[:WEEKS] * scale)  # the model that is fitted, exactly
    later = (shape[WEEKS:] * scale).sum()
    assert shape[-1] == 0.0  # nothing is left after the last lag
    assert truth.roas[channel] == pytest.approx((inside.sum() + later) / spend.sum())
    if spend[-1] > 0:
        assert later > 0 and truth.roas[channel] > inside.sum() / spend.sum()


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_media_of_the_own_spend_are_the_true_contributions(seed: int) -> None:
    parts = draw_parts(seed, WEEKS)
    brought = parts.media(parts.spend)
    inside, truth = brought[:WEEKS], MARKETS[seed].truth
    np.testing.assert_array_equal(inside, truth.contributions.to_numpy())
    earned = brought.sum(axis=0) / parts.spend.sum().to_numpy()
    assert truth.roas.to_numpy() == pytest.approx(earned)  # carryover after the last week included


def test_media_of_other_spend_keep_the_market_as_it_is() -> None:
    parts = draw_parts(1, WEEKS)
    more = parts.spend.tail(WEEKS // 2).reset_index(drop=True)
    more["TV"] *= 3.0  # far beyond the largest spend, which must stay the one of the market
    market = MARKETS[1]
    own = market.truth.contributions["TV"] / replayed(market, "TV", parts.spend["TV"].to_numpy())
    expected = replayed(market, "TV", more["TV"].to_numpy()) * own.median()
    brought = parts.media(more)
    assert brought[: len(more), 0] == pytest.approx(expected)
    less = parts.media(more.assign(TV=more["TV"] / 3.0))
    assert (brought[:, 0].sum() < 3.0 * less[:, 0].sum()) and (brought[:, 1] == less[:, 1]).all()


def test_spend_is_worth_telling_apart() -> None:
    for market in MARKETS.values():
        flighted = (market.table[["TV", "Radio"]] == 0).mean()
        assert flighted.between(0.05, 0.9).all(), flighted


def test_same_seed_gives_the_same_market() -> None:
    again = simulate_market(1)
    pd.testing.assert_frame_equal(again.table, MARKETS[1].table, check_exact=True)
    pd.testing.assert_series_equal(again.truth.roas, MARKETS[1].truth.roas, check_exact=True)


@pytest.mark.parametrize(
    ("seed", "table", "roas"),
    [
        (
            1,
            "21c1ca2d8580e0c1485f9f40f3e5eaf44c917f19dde0b01efa1a03a7badc91e5",
            [2.1586720654134206, 3.3995598984375563, 2.363235899851398, 2.9767865028891705],
        ),
        (
            2,
            "81b7376c0d7255b17a4b1fa23e2352e181eede23d52fe0772d6699e95dbc8666",
            [2.2463203623031824, 1.702890413435089, 2.600101341400545, 2.375909457834079],
        ),
    ],
)
def test_clean_market_never_changes(seed: int, table: str, roas: list[float]) -> None:
    assert table_sha256(MARKETS[seed].table) == table
    assert MARKETS[seed].truth.roas.to_list() == pytest.approx(roas, rel=1e-12)


def test_seeds_differ_in_truth_spend_and_noise() -> None:
    for first, second in itertools.pairwise(MARKETS.values()):
        assert not np.allclose(first.truth.roas, second.truth.roas)
        assert not np.allclose(first.table["Search"], second.table["Search"])


def test_global_random_state_is_left_alone() -> None:
    before = np.random.get_state()[1].copy()
    simulate_market(3)
    assert (np.random.get_state()[1] == before).all()


@pytest.mark.parametrize("weeks", [104, 260])
def test_length_is_as_asked(weeks: int) -> None:
    market = simulate_market(5, weeks)
    assert len(market.table) == len(market.truth.contributions) == weeks


def test_too_few_weeks_are_refused() -> None:
    with pytest.raises(ValueError, match="at least 104 weeks, got 103"):
        simulate_market(1, 103)


def test_what_a_plan_really_brings_is_net_of_earlier_spend_and_counts_the_carryover():
    weekly = simulate_market(3).table[list(CHANNELS)].tail(13).reset_index(drop=True)
    assert really_brings(3, 156, 0 * weekly) == 0.0
    world = World(draw_parts(3, 156), (), 0.0, pd.DataFrame())
    assert really_brings(3, 156, weekly) == pytest.approx(world.replayed, rel=1e-12)
    even = np.tile(weekly.mean().to_numpy(), (13, 1))
    assert really_brings(3, 156, pd.DataFrame(even, columns=weekly.columns)) == pytest.approx(
        world.realised(weekly.sum().to_numpy()).sum(), rel=1e-12
    )
    assert really_brings(3, 156, weekly[list(CHANNELS)[::-1]]) == really_brings(3, 156, weekly)
    alone = sum(really_brings(3, 156, weekly[[channel]]) for channel in CHANNELS)
    assert alone == pytest.approx(really_brings(3, 156, weekly), rel=1e-9)
