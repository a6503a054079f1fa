"""Tracked plans with made-up draws, for what shows them."""

import numpy as np
import pandas as pd

from mmm_demo.planning.outcome import Forecast, PlanOutcome

CHANNELS = ["TV", "Radio", "Search & Social"]


def make_outcome(
    weeks: int = 6,
    planned: int = 6,
    outside: tuple[int, ...] = (),
    spent: tuple[float, ...] = (1.0, 1.0, 1.0),
) -> PlanOutcome:
    """Return a plan of sales of 100 +- 10 a week; each week outside of it sold 200.

    What was expected under the real spend lies 1 higher. A channel's spend is 10 a week times
    `spent`.
    """
    dates = pd.date_range("2026-01-05", periods=weeks, freq="W-MON")
    noise = np.random.default_rng(5).normal(0, 10, (2000, weeks))
    realised = np.full(weeks, 100.0)
    realised[list(outside)] = 200.0
    money = pd.DataFrame(
        {
            "week": np.repeat(dates, len(CHANNELS)),
            "channel": CHANNELS * weeks,
            "planned": 10.0,
            "realised": 10.0 * np.tile(spent, weeks),
        }
    )
    spend = money.assign(deviation=money["realised"] - money["planned"])
    promised, expected = Forecast(100 + noise, realised), Forecast(101 + noise, realised)
    return PlanOutcome(dates, planned, promised, expected, spend)
