"""Markets with known truth and one fault that some form of a model has.

Every world starts from the clean market of the same seed (`simulate.simulate_market`); a fault
changes the one thing below. Truth is what media really caused in that world.

| fault | what is different from the clean market |
|---|---|
| level_shift | sales fall by about a fifth for good, in the middle third of the weeks |
| drifting_baseline | sales without media wander over months, by 6 to 10 % of mean sales |
| heavy_tails | Student-t noise with 2 degrees of freedom instead of normal noise |
| holiday_spikes | four weeks of each year, the same ones, sell 20 to 40 % more |
| delayed_carryover | one channel peaks 2 to 4 weeks after the spend |
| hill_curves | every channel saturates by a Hill curve of slope 1 to 2 |
| ar_demand | what nothing explains follows itself from week to week (AR(1), 0.5 to 0.8) |
| demand_following | a hidden slow demand drives sales as well as Search and Social spend |
"""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd
from faulty_worlds import simulate_world

from mmm_demo.sources.simulate import (
    CARRYOVER_WEEKS,
    CHANNELS,
    MEAN_SALES,
    MarketParts,
    SimulatedMarket,
    adstock,
    assemble,
    draw_parts,
    geometric_weights,
    logistic,
    simulate_market,
)

FIRST_STREAM = 100  # of random numbers; `faulty_worlds` has those before
SMOOTH_WEEKS = 13
HOLIDAYS = ((1, 1), (5, 1), (11, 11), (12, 25))  # month and day


def mendable_world(fault: str | None, seed: int, weeks: int = 156) -> SimulatedMarket:
    """Simulate the market of a seed with one fault, or the clean one without.

    Raises
    ------
    ValueError
        When there is no such fault.
    """
    if fault is None:
        return simulate_market(seed, weeks)
    if fault not in _MAKERS:
        raise ValueError(f"unknown fault {fault!r}; choose one of {', '.join(_MAKERS)}, or None")
    rng = np.random.default_rng([seed, FIRST_STREAM + list(_MAKERS).index(fault)])
    return _MAKERS[fault](seed, weeks, rng)


def _known(fault: str, seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    return simulate_world(fault, seed, weeks)


def _drifting_baseline(seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    clean = draw_parts(seed, weeks)
    path = drifting(weeks, rng)
    return assemble(
        replace(clean, others=clean.others + rng.uniform(0.06, 0.10) * MEAN_SALES * path)
    )


def drifting(weeks: int, rng: np.random.Generator) -> np.ndarray:
    """Return a path that wanders over months, without trend, of standard deviation 1; (week,)."""
    walk = np.cumsum(rng.normal(size=weeks + 2 * SMOOTH_WEEKS))
    for _ in range(2):  # twice, so that not even its slope jumps
        walk = np.convolve(walk, np.ones(SMOOTH_WEEKS) / SMOOTH_WEEKS, mode="valid")
    path = walk[:weeks] - np.polyval(np.polyfit(np.arange(weeks), walk[:weeks], 1), range(weeks))
    return path / path.std()


def _holiday_spikes(seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    clean = draw_parts(seed, weeks)
    heights = rng.uniform(0.20, 0.40, len(HOLIDAYS)) * MEAN_SALES
    spikes = holiday_weeks(clean.dates) @ heights
    return assemble(replace(clean, others=clean.others + spikes))


def holiday_weeks(dates: pd.DatetimeIndex) -> np.ndarray:
    """Say of each week whether it holds each of the holidays; shape (week, holiday)."""
    days = dates.to_numpy()[:, None] + np.arange(7).astype("timedelta64[D]")
    week = pd.DatetimeIndex(days.ravel())
    inside = [
        ((week.month == month) & (week.day == day)).reshape(days.shape).any(axis=1)
        for month, day in HOLIDAYS
    ]
    return np.column_stack(inside).astype(float)


def _delayed_carryover(seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    clean = draw_parts(seed, weeks)
    weights = geometric_weights(clean.alpha)
    channel, peak, kept = rng.integers(len(CHANNELS)), rng.uniform(2.0, 4.0), rng.uniform(0.5, 0.8)
    late = kept ** ((np.arange(CARRYOVER_WEEKS) - peak) ** 2)
    weights[:, channel] = late / late.sum()
    carried = adstock(clean.spend / clean.spend.max(), weights)
    return assemble(clean, logistic(carried, clean.lam))


def _hill_curves(seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    clean = draw_parts(seed, weeks)
    slope = rng.uniform(1.0, 2.0, len(CHANNELS))
    carried = adstock(clean.spend / clean.spend.max(), geometric_weights(clean.alpha))
    half = rng.uniform(0.5, 1.5, len(CHANNELS)) * np.quantile(carried[:weeks], 0.7, axis=0)
    return assemble(clean, carried**slope / (carried**slope + half**slope))


def _ar_demand(seed: int, weeks: int, rng: np.random.Generator) -> SimulatedMarket:
    clean: MarketParts = draw_parts(seed, weeks)
    memory, noise = rng.uniform(0.5, 0.8), rng.normal(size=weeks)
    for week in range(1, weeks):
        noise[week] = memory * noise[week - 1] + np.sqrt(1 - memory**2) * noise[week]
    return assemble(replace(clean, noise=clean.noise_scale * noise))


_MAKERS: dict[str, Callable[[int, int, np.random.Generator], SimulatedMarket]] = {
    "level_shift": partial(_known, "trend_break"),
    "drifting_baseline": _drifting_baseline,
    "heavy_tails": partial(_known, "heavy_tails"),
    "holiday_spikes": _holiday_spikes,
    "delayed_carryover": _delayed_carryover,
    "hill_curves": _hill_curves,
    "ar_demand": _ar_demand,
    "demand_following": partial(_known, "unobserved_confounder"),
}
CLEAN, FOLLOWING = "clean", "demand_following"
MENDABLE = tuple(name for name in _MAKERS if name != FOLLOWING)
