"""A market with known truth: the embedded default, and the ground for recovery tests."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

CHANNELS = ("TV", "Radio", "Search", "Social")
CONTROLS = ("Trend", "Promotion")
CORRELATED_PAIR = ("Search", "Social")
MIN_PAIR_CORRELATION = 0.5
FIRST_WEEK = "2023-01-02"
MEAN_SALES = 1_000_000.0
MEAN_SPEND = {"TV": 60_000.0, "Radio": 25_000.0, "Search": 40_000.0, "Social": 30_000.0}
CARRYOVER_WEEKS = 8


@dataclass(frozen=True)
class Truth:
    """What really drove the simulated sales.

    Attributes
    ----------
    contributions
        Sales that each channel brought, by week; shape (week, channel).
    roas
        Sales per unit of spend, carryover after the last week included, by channel.
    share
        Share of all sales, by channel.
    adstock_alpha, saturation_lam
        Retention rate and saturation rate, by channel.
    """

    contributions: pd.DataFrame
    roas: pd.Series
    share: pd.Series
    adstock_alpha: pd.Series
    saturation_lam: pd.Series


@dataclass(frozen=True)
class SimulatedMarket:
    """A weekly table and the truth behind it."""

    table: pd.DataFrame
    truth: Truth


def simulate_market(seed: int, weeks: int = 156) -> SimulatedMarket:
    """Simulate a market of four channels, two controls, a trend and a yearly season.

    Spend works through a normalised geometric adstock and a logistic saturation. Every channel
    brings between 3 and 14 % of sales, the noise is 5 to 7 % of mean sales, and Search and Social
    are correlated because both follow the same demand.

    Parameters
    ----------
    seed
        Draws the truth and the noise.
    weeks
        Number of weeks, at least 104.

    Returns
    -------
    SimulatedMarket
        Table with columns `Week` (Mondays), `Sales`, the channels' spend and the controls.

    Raises
    ------
    ValueError
        When there are fewer than 104 weeks.
    """
    if weeks < 104:
        raise ValueError(f"a simulated market needs at least 104 weeks, got {weeks}")
    rng = np.random.default_rng(seed)
    dates = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D")
    spend = _draw_spend(rng, weeks)
    alpha = rng.uniform(0.1, 0.6, len(CHANNELS))
    lam = rng.uniform(1.0, 4.0, len(CHANNELS))
    share = rng.uniform(0.03, 0.14, len(CHANNELS))

    # Contributions beyond the last week are the carryover that spend inside the data still earns.
    shape = _saturate(_adstock(spend.to_numpy() / spend.to_numpy().max(axis=0), alpha), lam)
    scale = share * MEAN_SALES / shape[:weeks].mean(axis=0)
    contributions = shape * scale

    controls = pd.DataFrame(
        {"Trend": np.linspace(0.0, 1.0, weeks), "Promotion": _draw_promotions(rng, weeks)}
    )
    effects = MEAN_SALES * np.array([rng.uniform(0.05, 0.15), rng.uniform(0.10, 0.20)])
    others = controls.to_numpy() @ effects + _season(rng, dates)
    noise = rng.normal(0.0, rng.uniform(0.05, 0.07) * MEAN_SALES, weeks)
    base = MEAN_SALES * (1 - share.sum()) - others.mean()
    sales = base + others + contributions[:weeks].sum(axis=1) + noise

    table = pd.DataFrame({"Week": dates, "Sales": sales.round(2)}).join(spend).join(controls)
    return SimulatedMarket(table, _truth(table, contributions, alpha, lam))


def _draw_spend(rng: np.random.Generator, weeks: int) -> pd.DataFrame:
    """Draw weekly spend: flighted TV and Radio, always-on Search and Social that move together."""
    while True:  # a draw below the promised correlation is rare and is drawn again
        demand = rng.normal(size=weeks)
        levels = pd.DataFrame(
            {
                "TV": _flights(rng, weeks, 0.55) * rng.gamma(4.0, 0.25, weeks),
                "Radio": _flights(rng, weeks, 0.6) * rng.gamma(4.0, 0.25, weeks),
                "Search": np.exp(0.55 * demand + 0.4 * rng.normal(size=weeks)),
                "Social": np.exp(0.55 * demand + 0.4 * rng.normal(size=weeks)),
            }
        )
        pair = levels[CORRELATED_PAIR[0]].corr(levels[CORRELATED_PAIR[1]])
        if pair >= MIN_PAIR_CORRELATION:
            return (levels / levels.mean() * pd.Series(MEAN_SPEND)).round(2)


def _flights(rng: np.random.Generator, weeks: int, share_on: float) -> np.ndarray:
    """Switch a channel on and off in flights of three to six weeks."""
    on: list[float] = []
    while len(on) < weeks:
        on += [float(rng.random() < share_on)] * int(rng.integers(3, 7))
    return np.array(on[:weeks])


def _draw_promotions(rng: np.random.Generator, weeks: int) -> np.ndarray:
    promotions = np.zeros(weeks)
    promotions[rng.choice(weeks, size=weeks // 13, replace=False)] = 1.0
    return promotions


def _season(rng: np.random.Generator, dates: pd.DatetimeIndex) -> np.ndarray:
    angle = 2 * np.pi * dates.day_of_year.to_numpy() / 365.25
    amplitudes = MEAN_SALES * rng.uniform(-0.10, 0.10, 4)
    modes = np.column_stack([np.sin(angle), np.cos(angle), np.sin(2 * angle), np.cos(2 * angle)])
    return modes @ amplitudes


def _adstock(spend: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Spread spend over the weeks after it; rows grow by the carryover."""
    weights = alpha ** np.arange(CARRYOVER_WEEKS)[:, None]
    weights /= weights.sum(axis=0)
    return np.column_stack([np.convolve(spend[:, c], weights[:, c]) for c in range(spend.shape[1])])


def _saturate(spend: np.ndarray, lam: np.ndarray) -> np.ndarray:
    return (1 - np.exp(-lam * spend)) / (1 + np.exp(-lam * spend))


def _truth(
    table: pd.DataFrame, contributions: np.ndarray, alpha: np.ndarray, lam: np.ndarray
) -> Truth:
    channels = list(CHANNELS)
    by_week = pd.DataFrame(contributions[: len(table)], columns=channels)
    return Truth(
        contributions=by_week,
        roas=pd.Series(contributions.sum(axis=0), channels) / table[channels].sum(),
        share=by_week.sum() / table["Sales"].sum(),
        adstock_alpha=pd.Series(alpha, channels),
        saturation_lam=pd.Series(lam, channels),
    )
