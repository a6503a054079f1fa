"""A market with known truth: the embedded default, and the ground for recovery tests."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.forms.adstock.geometric import Geometric
from mmm_demo.forms.saturation.logistic import Logistic

CHANNELS = ("TV", "Radio", "Search", "Social")
CONTROLS = ("Trend", "Promotion")
CORRELATED_PAIR = ("Search", "Social")
MIN_PAIR_CORRELATION = 0.5
FIRST_WEEK = "2023-01-02"
MEAN_SALES = 1_000_000.0
MEAN_SPEND = {"TV": 60_000.0, "Radio": 25_000.0, "Search": 40_000.0, "Social": 30_000.0}
CARRYOVER_WEEKS = 8
MIN_SALES = 0.05 * MEAN_SALES  # the worst week; the clean market never comes near it


@dataclass(frozen=True)
class Truth:
    """What really drove the simulated sales.

    Attributes
    ----------
    contributions
        Sales that each channel brought, by week; shape (week, channel).
    roas
        Sales per unit of money really spent, carryover after the last week included, by channel.
    share
        Share of all sales, by channel.
    adstock_alpha, saturation_lam
        Retention rate and saturation rate, by channel; NaN where the market has no such rate.
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


@dataclass(frozen=True)
class MarketParts:
    """What a market is made of, before it is put together.

    Attributes
    ----------
    dates
        Mondays; shape (week,).
    spend
        Money really spent; shape (week, channel).
    alpha, lam, share
        Retention rate, saturation rate and intended share of sales; shape (channel,).
    controls
        Control columns of the table; shape (week, control).
    others
        Sales by controls, season and all else but media and noise, up to a constant; shape (week,).
    noise, noise_scale
        What nothing explains, shape (week,), and the scale it was drawn with; in sales.
    """

    dates: pd.DatetimeIndex
    spend: pd.DataFrame
    alpha: np.ndarray
    lam: np.ndarray
    share: np.ndarray
    controls: pd.DataFrame
    others: np.ndarray
    noise: np.ndarray
    noise_scale: float

    def media(self, spend: pd.DataFrame) -> np.ndarray:
        """Return what any spend would bring in this market, with nothing before it.

        Parameters
        ----------
        spend
            Money in contiguous weeks, columns as in the market's own; shape (week, channel).

        Returns
        -------
        numpy.ndarray
            Sales, carryover after the last week included; shape (week + carryover, channel).
        """
        return self.response(spend) * self.worth(self.response(self.spend))

    def response(self, spend: pd.DataFrame) -> np.ndarray:
        """Pass spend through a geometric adstock and a logistic saturation, from 0 towards 1."""
        carried = adstock(spend / self.spend.max(), geometric_weights(self.alpha))
        return logistic(carried, self.lam)

    def worth(self, response: np.ndarray) -> np.ndarray:
        """Return the sales in one unit of a response that brings the intended share; (channel,)."""
        return self.share * MEAN_SALES / response[: len(self.dates)].mean(axis=0)


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
    return assemble(draw_parts(seed, weeks))


def draw_parts(seed: int, weeks: int) -> MarketParts:
    """Draw the parts of the clean market; see `simulate_market`."""
    if weeks < 104:
        raise ValueError(f"a simulated market needs at least 104 weeks, got {weeks}")
    rng = np.random.default_rng(seed)
    dates = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D")
    spend = _draw_spend(rng, weeks)
    alpha = rng.uniform(0.1, 0.6, len(CHANNELS))
    lam = rng.uniform(1.0, 4.0, len(CHANNELS))
    share = rng.uniform(0.03, 0.14, len(CHANNELS))
    controls = pd.DataFrame(
        {"Trend": np.linspace(0.0, 1.0, weeks), "Promotion": _draw_promotions(rng, weeks)}
    )
    effects = MEAN_SALES * np.array([rng.uniform(0.05, 0.15), rng.uniform(0.10, 0.20)])
    others = controls.to_numpy() @ effects + _season(rng, dates)
    noise_scale = rng.uniform(0.05, 0.07) * MEAN_SALES
    noise = rng.normal(0.0, noise_scale, weeks)
    return MarketParts(dates, spend, alpha, lam, share, controls, others, noise, noise_scale)


def really_brings(seed: int, weeks: int, weekly: pd.DataFrame) -> float:
    """Return what spend right after the weeks of a market would really bring, in sales.

    Net of what earlier spend still earns, carryover after the last week included.

    Parameters
    ----------
    seed, weeks
        Of the market (`simulate_market`).
    weekly
        Money, a column per channel, of all of them or some; shape (week, channel).
    """
    parts = draw_parts(seed, weeks)
    before = parts.spend.tail(CARRYOVER_WEEKS)
    weekly = weekly.reindex(columns=list(CHANNELS), fill_value=0.0)
    with_it, without = (
        parts.media(pd.concat([before, spend], ignore_index=True)).sum()
        for spend in (weekly, 0 * weekly)
    )
    return float(with_it - without)


def assemble(
    parts: MarketParts, response: np.ndarray | None = None, recorded: pd.DataFrame | None = None
) -> SimulatedMarket:
    """Put the parts together into a table and its truth.

    Parameters
    ----------
    parts
        What the market is made of.
    response
        What spend does, on any scale; shape (week + carryover, channel). By default spend works
        through a geometric adstock and a logistic saturation.
    recorded
        Spend as the table shows it, when that is not the money really spent.
    """
    weeks = len(parts.dates)
    if response is None:
        response = parts.response(parts.spend)
    # Contributions beyond the last week are the carryover that spend inside the data still earns.
    contributions = response * parts.worth(response)
    base = MEAN_SALES * (1 - parts.share.sum()) - parts.others.mean()
    sales = base + parts.others + contributions[:weeks].sum(axis=1) + parts.noise
    sales = np.maximum(sales, MIN_SALES).round(2)
    shown = parts.spend if recorded is None else recorded
    table = pd.DataFrame({"Week": parts.dates, "Sales": sales}).join(shown).join(parts.controls)
    return SimulatedMarket(table, _truth(table["Sales"], contributions, parts))


def budgeted(levels: pd.DataFrame) -> pd.DataFrame:
    """Scale spend of any level to each channel's mean spend, in cents."""
    return (levels / levels.mean() * pd.Series(MEAN_SPEND)[levels.columns]).round(2)


def geometric_weights(alpha: np.ndarray) -> np.ndarray:
    """Return the normalised weight of each lag; shape (lag, channel)."""
    return Geometric().shares(CARRYOVER_WEEKS, alpha=alpha)


def adstock(spend: pd.DataFrame, weights: np.ndarray) -> np.ndarray:
    """Spread spend over the weeks after it; rows grow by the carryover."""
    columns = zip(spend.to_numpy().T, weights.T, strict=True)
    return np.column_stack([np.convolve(values, weight) for values, weight in columns])


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
            return budgeted(levels)


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


def logistic(spend: np.ndarray, lam: np.ndarray) -> np.ndarray:
    """Saturate adstocked spend, from 0 towards 1; shape (week, channel)."""
    return Logistic().curve(lam * spend)


def _truth(sales: pd.Series, contributions: np.ndarray, parts: MarketParts) -> Truth:
    channels = list(CHANNELS)
    by_week = pd.DataFrame(contributions[: len(sales)], columns=channels)
    return Truth(
        contributions=by_week,
        roas=pd.Series(contributions.sum(axis=0), channels) / parts.spend.sum(),
        share=by_week.sum() / sales.sum(),
        adstock_alpha=pd.Series(parts.alpha, channels),
        saturation_lam=pd.Series(parts.lam, channels),
    )
