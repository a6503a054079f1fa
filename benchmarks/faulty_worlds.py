"""Markets with known truth and exactly one fault, to see which faults the checks find.

Every world starts from the clean market of the same seed (`simulate.simulate_market`); a fault
changes the one thing below. Truth is what media really caused in that world.

| fault | what is different from the clean market |
|---|---|
| unobserved_confounder | a hidden slow demand drives sales as well as Search and Social spend |
| reverse_causality | Search spend follows the same week's demand, its noise included |
| collinear_channels | Social spend is Search spend within 5 %; one brings 4/5 of their sales |
| wrong_adstock | spend works late: it peaks after 3 or 4 weeks and lasts half a year |
| wrong_saturation | the response is S-shaped: little happens below a threshold |
| spend_outliers | three weeks of Search or Social show 10 to 20 times the spend; nobody spent it |
| trend_break | sales fall by about a fifth for good, in the middle third of the weeks |
| wrong_seasonality | a three-week holiday peak each year, with TV and Radio on air in it |
| heavy_tails | Student-t noise with 2 degrees of freedom instead of normal noise |
| time_varying_effect | the two largest channels change: one falls to a third, one triples |
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.sources.simulate import (
    CHANNELS,
    CORRELATED_PAIR,
    MEAN_SALES,
    MarketParts,
    SimulatedMarket,
    adstock,
    assemble,
    budgeted,
    draw_parts,
    geometric_weights,
    logistic,
    simulate_market,
)

CONFOUNDER_MEMORY = 0.8  # correlation of hidden demand from one week to the next
LONG_CARRYOVER_WEEKS = 26
OUTLIER_WEEKS = 3
TAIL_LIMIT = 20.0  # noise scales; a t with 2 degrees of freedom has no largest week
HOLIDAY_DAYS = (341, 361)  # of the year; 21 days hold three Mondays, whatever the year


def simulate_world(fault: str | None, seed: int, weeks: int = 156) -> SimulatedMarket:
    """Simulate the market of a seed with one fault.

    Parameters
    ----------
    fault
        One of `FAULTS`, or None for the clean market.
    seed
        Draws the clean market, and how the fault looks in it.
    weeks
        Number of weeks, at least 104.

    Returns
    -------
    SimulatedMarket
        Table in the form of `simulate_market`, and the true effect of media in this world.

    Raises
    ------
    ValueError
        When the fault is unknown or there are fewer than 104 weeks.
    """
    if fault is None:
        return simulate_market(seed, weeks)
    if fault not in FAULTS:
        raise ValueError(f"unknown fault {fault!r}; choose one of {', '.join(FAULTS)}, or None")
    rng = np.random.default_rng([seed, 1 + FAULTS.index(fault)])
    return _MAKERS[fault](draw_parts(seed, weeks), rng)


def _unobserved_confounder(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    weeks = len(clean.dates)
    demand = rng.normal(size=weeks)
    for week in range(1, weeks):
        shock = np.sqrt(1 - CONFOUNDER_MEMORY**2) * demand[week]
        demand[week] = CONFOUNDER_MEMORY * demand[week - 1] + shock
    demand = (demand - demand.mean()) / demand.std()
    pair = list(CORRELATED_PAIR)
    spend = _with_spend(clean, clean.spend[pair].mul(np.exp(0.7 * demand), axis=0))
    return assemble(replace(clean, spend=spend, others=clean.others + 0.08 * MEAN_SALES * demand))


def _reverse_causality(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    demand = clean.others + clean.noise  # all that sells without media
    demand = (demand - demand.mean()) / demand.std()
    levels = np.exp(0.7 * demand + 0.3 * rng.normal(size=len(demand)))
    return assemble(replace(clean, spend=_with_spend(clean, pd.DataFrame({"Search": levels}))))


def _collinear_channels(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    leader, follower = CORRELATED_PAIR
    levels = clean.spend[leader] * rng.lognormal(0.0, 0.05, len(clean.dates))
    share = pd.Series(clean.share, CHANNELS)
    # An even split of what the two bring would look right by luck.
    share[[leader, follower]] = share[[leader, follower]].sum() * rng.permutation([0.8, 0.2])
    spend = _with_spend(clean, levels.to_frame(follower))
    return assemble(replace(clean, spend=spend, share=share.to_numpy()))


def _wrong_adstock(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    peak = rng.uniform(3.0, 4.0, len(CHANNELS))
    lags = np.arange(LONG_CARRYOVER_WEEKS)[:, None]
    weights = lags * np.exp(-lags / peak)
    carried = adstock(clean.spend / clean.spend.max(), weights / weights.sum(axis=0))
    parts = replace(clean, alpha=np.full(len(CHANNELS), np.nan))
    return assemble(parts, logistic(carried, clean.lam))


def _wrong_saturation(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    slope = rng.uniform(3.0, 4.0, len(CHANNELS))
    carried = adstock(clean.spend / clean.spend.max(), geometric_weights(clean.alpha))
    threshold = np.quantile(carried[: len(clean.dates)], 0.7, axis=0)
    response = carried**slope / (carried**slope + threshold**slope)
    return assemble(replace(clean, lam=np.full(len(CHANNELS), np.nan)), response)


def _spend_outliers(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    # Spend that is always on shows no off weeks, by which a model could tell its effect after all.
    channel = pd.Series(clean.share, CHANNELS)[list(CORRELATED_PAIR)].idxmax()
    hit = rng.choice(len(clean.dates), size=OUTLIER_WEEKS, replace=False)
    recorded = clean.spend.copy()
    mistyped = recorded[channel].mean() * rng.uniform(10.0, 20.0, OUTLIER_WEEKS)
    recorded.loc[hit, channel] = mistyped.round(2)
    return assemble(clean, recorded=recorded)


def _trend_break(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    weeks = len(clean.dates)
    first = rng.integers(weeks // 3, 2 * weeks // 3)
    drop = rng.uniform(0.18, 0.22) * MEAN_SALES
    return assemble(replace(clean, others=clean.others - drop * (np.arange(weeks) >= first)))


def _wrong_seasonality(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    day = clean.dates.day_of_year.to_numpy()
    holiday = (day >= HOLIDAY_DAYS[0]) & (day <= HOLIDAY_DAYS[1])
    height = rng.uniform(0.35, 0.45) * MEAN_SALES
    on_air = clean.spend[["TV", "Radio"]].copy()
    on_air[holiday] = on_air[holiday].clip(lower=2.0 * on_air.mean(), axis=1)
    spend = _with_spend(clean, on_air)
    return assemble(replace(clean, spend=spend, others=clean.others + height * holiday))


def _heavy_tails(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    noise = rng.standard_t(2.0, len(clean.dates)).clip(-TAIL_LIMIT, TAIL_LIMIT)
    return assemble(replace(clean, noise=clean.noise_scale * noise))


def _time_varying_effect(clean: MarketParts, rng: np.random.Generator) -> SimulatedMarket:
    weeks = len(clean.dates)
    carried = adstock(clean.spend / clean.spend.max(), geometric_weights(clean.alpha))
    response = logistic(carried, clean.lam)
    passed = np.minimum(np.arange(len(response)) / (weeks - 1), 1.0)
    falling, rising = rng.permutation(np.argsort(clean.share)[-2:])
    response[:, falling] *= 3.0**-passed
    response[:, rising] *= 3.0**passed
    return assemble(clean, response)


def _with_spend(clean: MarketParts, levels: pd.DataFrame) -> pd.DataFrame:
    """Replace the spend of some channels, each at its old budget."""
    return clean.spend.assign(**budgeted(levels))


_MAKERS: dict[str, Callable[[MarketParts, np.random.Generator], SimulatedMarket]] = {
    "unobserved_confounder": _unobserved_confounder,
    "reverse_causality": _reverse_causality,
    "collinear_channels": _collinear_channels,
    "wrong_adstock": _wrong_adstock,
    "wrong_saturation": _wrong_saturation,
    "spend_outliers": _spend_outliers,
    "trend_break": _trend_break,
    "wrong_seasonality": _wrong_seasonality,
    "heavy_tails": _heavy_tails,
    "time_varying_effect": _time_varying_effect,
}
FAULTS = tuple(_MAKERS)
