"""Tables and what an exploration says of them."""

import numpy as np
import pandas as pd

from mmm_demo.settings.experiment import ModelConfig

MONTHLY = {  # crore per month, in the manner of DT Mart: TV has a zero, SEM an amount that returns
    "TV": (0.2, 0, 3.9, 6.1, 4.2, 5.4, 4.4, 2.6, 9.3, 5.2, 1.4, 1.7),
    "SEM": (5, 2.5, 6.2, 31.9, 5.2, 11.2, 4.2, 4.9, 5.2, 4.0, 6.9, 4.0),
    "Radio": (0, 0, 0, 0, 0, 0, 2.7, 0, 0.9, 0, 1.1, 0),
}


def spread(monthly: dict[str, tuple[float, ...]]) -> pd.DataFrame:
    """Spread monthly spend over days and sum whole Monday weeks; add target and controls."""
    months = pd.date_range("2015-07-01", periods=12, freq="MS")
    days = pd.date_range("2015-07-01", "2016-06-30")
    per_day = pd.DataFrame(monthly, months).mul(1e7).div(months.days_in_month, axis=0)
    by_day = per_day.reindex(days, method="ffill")
    monday = days - pd.to_timedelta(days.day_of_week, unit="D")
    weeks = by_day.groupby(monday).sum()[by_day.groupby(monday).size() == 7]
    rng = np.random.default_rng(5)
    table = weeks.rename_axis("Week").reset_index()
    table.insert(1, "Sales", 7e7 + 1e7 * rng.normal(size=len(table)))
    return table.assign(SaleDays=(np.arange(len(table)) % 4 == 0) * 3.0)


def config(table: pd.DataFrame, *controls: str, lag: int = 4) -> ModelConfig:
    channels = [name for name in table if name not in ("Week", "Sales", *controls)]
    return ModelConfig(tuple(channels), tuple(controls), adstock_max_lag=lag)


def weekly(weeks: int = 60, seed: int = 1, **columns: object) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    dates = pd.date_range("2024-01-01", periods=weeks, freq="7D")
    base = {"Week": dates, "Sales": 100 + rng.normal(size=weeks)}
    return pd.DataFrame(base | {name: np.asarray(values) for name, values in columns.items()})


def gamma(weeks: int = 60, seed: int = 2) -> np.ndarray:
    return np.random.default_rng(seed).gamma(2.0, 50.0, weeks)
