"""What fits are compared by: forecast scores, leave-one-out, ROAS and plan, under the same names.

Every fit that can be compared, a trial of a sweep or a fit run, has these metrics and tables. They
are made without the tracking store, so that a worker process can make them. Whoever only reads them
must not wait for the libraries that make them, so two functions import these themselves.
"""

import math
from pathlib import Path

import numpy as np
import pandas as pd

from mmm_demo.fits.fitted import FittedModel, interval
from mmm_demo.fits.response import Response
from mmm_demo.settings.experiment import BudgetConfig
from mmm_demo.settings.run_schema import read_csv

CRPS, CRPS_SE, COVERAGE = "score.crps", "score.crps_se", "score.coverage_94"
ELPD, ELPD_SE, PARETO_K = "score.elpd", "score.elpd_se", "score.pareto_k_max"
METRICS = (CRPS, CRPS_SE, COVERAGE, ELPD, ELPD_SE, PARETO_K)
FOLDER = "scores"  # of the run's artifacts
BACKTEST, POINTWISE, ROAS, PLAN = (
    f"{FOLDER}/{name}.csv" for name in ("backtest", "pointwise", "roas", "plan")
)
_COLUMNS = {
    BACKTEST: ("fold", "week", "observed", "lower_94", "upper_94", "crps", "converged"),
    POINTWISE: ("week", "elpd_i", "pareto_k"),
    ROAS: ("channel", "median", "lower_94", "upper_94"),
    PLAN: ("channel", "planned"),
}


def backtest_scores(forecast: pd.DataFrame) -> dict[str, float]:
    """Score the forecasts of a backtest.

    Parameters
    ----------
    forecast
        Rows of `backtest.run_backtest`.

    Returns
    -------
    dict
        `CRPS` (mean over the forecast weeks, sales units; less is better), its standard error
        `CRPS_SE` and `COVERAGE` (share of the weeks inside the 94 % interval). All are NaN when
        a fold did not converge, a value is not finite, or there is no week.
    """
    require_columns(forecast, BACKTEST)
    numbers = forecast[["observed", "lower_94", "upper_94", "crps"]].to_numpy(float)
    if forecast.empty or not forecast["converged"].eq(True).all() or not np.isfinite(numbers).all():
        return dict.fromkeys((CRPS, CRPS_SE, COVERAGE), math.nan)
    inside = forecast["observed"].between(forecast["lower_94"], forecast["upper_94"])
    return {
        CRPS: float(forecast["crps"].mean()),
        CRPS_SE: standard_error(forecast["crps"].to_numpy(), forecast["fold"].to_numpy()),
        COVERAGE: float(inside.mean()),
    }


def standard_error(values: np.ndarray, folds: np.ndarray) -> float:
    """Return the standard error of the mean over forecast weeks.

    The weeks of a fold are forecast by the same refit, so they are not independent: the error is
    that of the fold means. A handful of these may lie together by chance, so it is never less than
    that of as many independent weeks.

    Parameters
    ----------
    values, folds
        A score, or a difference of scores, and the fold of each week, shape (week,).

    Returns
    -------
    float
        NaN for a single fold: it does not tell how folds differ.
    """
    count = len(values)
    sums = pd.Series(values - np.mean(values)).groupby(np.asarray(folds)).sum().to_numpy()
    if len(sums) < 2:
        return math.nan
    clustered = math.sqrt(len(sums) / (len(sums) - 1) * float(sums @ sums)) / count
    independent = float(np.std(values, ddof=1)) / math.sqrt(count)
    return float(np.maximum(clustered, independent))  # max() of Python may lose a NaN


def pointwise(response: Response) -> pd.DataFrame:
    """Estimate how well each training week would be predicted by a fit without it (PSIS-LOO).

    In sales units, so that models with other scalings compare. All draws are used: 0.2 s for 4,000
    draws and 156 weeks, which thinning would not shorten by much.

    Parameters
    ----------
    response
        Of a fit that converged.

    Returns
    -------
    pandas.DataFrame
        Columns week, elpd_i, pareto_k, one row per week.
    """
    from mmm_demo.checks.pointwise import log_likelihood, loo, loo_table

    likelihood = log_likelihood(response, response.mean(response.training))
    return loo_table(loo(likelihood, response.posterior))


def loo_scores(pointwise: pd.DataFrame) -> dict[str, float]:
    """Sum leave-one-out estimates up.

    Parameters
    ----------
    pointwise
        Columns week, elpd_i, pareto_k.

    Returns
    -------
    dict
        `ELPD` (more is better), its standard error `ELPD_SE`, and the largest `PARETO_K`: above
        0.7 the estimate is not to be trusted for that week. All are NaN when a week's is.
    """
    require_columns(pointwise, POINTWISE)
    values, tails = (pointwise[name].to_numpy(float) for name in ("elpd_i", "pareto_k"))
    if not len(values) or not np.isfinite([values, tails]).all():
        return dict.fromkeys((ELPD, ELPD_SE, PARETO_K), math.nan)
    spread = math.sqrt(len(values) * np.var(values, ddof=1))  # as arviz has it
    return {ELPD: float(values.sum()), ELPD_SE: spread, PARETO_K: float(tails.max())}


def roas_scores(response: Response) -> pd.DataFrame:
    """Return the ROAS of the training weeks by channel: channel, median, lower_94, upper_94."""
    channels = list(response.config.channel_columns)
    draws = response.roas(response.training[channels].to_numpy())
    ends = interval(draws)
    return pd.DataFrame(
        {
            "channel": channels,
            "median": np.median(draws, axis=0),
            "lower_94": ends["lower_94"],
            "upper_94": ends["upper_94"],
        }
    )


def plan_scores(fitted: FittedModel, budget: BudgetConfig) -> pd.DataFrame:
    """Return what a plan with this model would give each channel: channel, planned (money).

    The money is NaN where no plan can be made.
    """
    from mmm_demo.evidence.sensitivity import planned

    channels = list(fitted.config.channel_columns)
    return pd.DataFrame({"channel": channels, "planned": planned(fitted, budget)})


def read_table(folder: Path, name: str) -> pd.DataFrame | None:
    """Read a stored table; None when it is not there.

    Parameters
    ----------
    folder
        Holds the run's artifacts.
    name
        `BACKTEST`, `POINTWISE`, `ROAS` or `PLAN`.

    Raises
    ------
    ValueError
        When a column is missing, or it is no table.
    """
    path = folder / name
    if not path.is_file():
        return None
    table = read_csv(path)
    require_columns(table, name)
    if "week" in table:
        table["week"] = pd.to_datetime(table["week"], format="ISO8601")
    return table


def require_columns(table: pd.DataFrame, name: str) -> None:
    """Refuse a table that lacks a column of its kind.

    Raises
    ------
    ValueError
        Names the columns that are missing.
    """
    if missing := [column for column in _COLUMNS[name] if column not in table]:
        raise ValueError(f"{name} lacks the columns {', '.join(missing)}")
