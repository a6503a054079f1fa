"""Backtest: whether the model forecasts weeks it has not seen better than a naive rule."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.battery import Battery, Step, Watch, assessable
from mmm_demo.evidence.refit import Refit, Refitter
from mmm_demo.fits.fitted import interval

STAGE = "backtest"
SEASON, SEASONAL_FROM = 52, 65  # with fewer weeks there are no 13 errors of a year-old forecast
ADVICE = "the model does not forecast; look for missing drivers, a trend break or a wrong season"


def folds(weeks: int, count: int, horizon: int) -> list[tuple[int, int]]:
    """Return rolling origins: how many weeks train each fold, and where its forecast ends.

    The forecasts follow each other up to the last week. The horizon shrinks where they would take
    more than half of the weeks.

    Parameters
    ----------
    weeks
        Length of the table.
    count, horizon
        Folds and weeks forecast by each.

    Raises
    ------
    ValueError
        When there are too few weeks for so many folds.
    """
    horizon = min(horizon, weeks // 2 // count)
    if horizon < 1:
        raise ValueError(f"{weeks} weeks are too few for a backtest of {count} folds")
    ends = [weeks - horizon * left for left in range(count)][::-1]
    return [(end - horizon, end) for end in ends]


def naive_forecast(history: np.ndarray, horizon: int) -> list[np.ndarray]:
    """Forecast by the same week a year before, or by the last value under 65 weeks.

    Parameters
    ----------
    history
        Sales so far, shape (week,).
    horizon
        Weeks ahead.

    Returns
    -------
    list of numpy.ndarray
        For each week ahead a sample: the rule's value and all the errors that it made so far.
    """
    sample = []
    for ahead in range(1, horizon + 1):
        seasonal = len(history) >= SEASONAL_FROM
        back = SEASON * -(-ahead // SEASON) if seasonal else ahead
        errors = history[back:] - history[:-back]
        value = history[ahead - 1 - back] if seasonal else history[-1]
        sample.append(value + errors)
    return sample


def crps(observed: float, sample: np.ndarray) -> float:
    """Return the continuous ranked probability score of a sample, in its units; less is better."""
    ordered = np.sort(sample)
    count = len(ordered)
    spread = (2 * np.arange(1, count + 1) - count - 1) @ ordered / count**2
    return float(np.abs(ordered - observed).mean() - spread)


def score_weeks(observed: np.ndarray, draws: np.ndarray, history: np.ndarray) -> pd.DataFrame:
    """Score each forecast week of a fold.

    Parameters
    ----------
    observed
        Sales that came, shape (week,).
    draws
        Forecast, shape (sample, week).
    history
        Sales that the forecast knew, shape (week,).

    Returns
    -------
    pandas.DataFrame
        Columns observed, mean, lower_94, upper_94, naive, crps, naive_crps, one row per week.
    """
    naive = naive_forecast(history, len(observed))
    weeks = range(len(observed))
    return pd.DataFrame(
        {
            "observed": observed,
            **interval(draws),
            "naive": [float(np.median(sample)) for sample in naive],
            "crps": [crps(observed[week], draws[:, week]) for week in weeks],
            "naive_crps": [crps(observed[week], naive[week]) for week in weeks],
        }
    )


def fold_table(forecast: pd.DataFrame) -> pd.DataFrame:
    """Sum the forecast weeks up by fold.

    Parameters
    ----------
    forecast
        Columns of `score_weeks` with fold, week and converged.

    Returns
    -------
    pandas.DataFrame
        Columns fold, start, weeks, crps, naive_crps, mape, naive_mape, coverage_94, converged.
    """
    rows = []
    for fold, weeks in forecast.groupby("fold"):
        sold = weeks[weeks["observed"] != 0]
        errors = {
            name: float((sold[column] / sold["observed"] - 1).abs().mean())
            for name, column in (("mape", "mean"), ("naive_mape", "naive"))
        }
        inside = weeks["observed"].between(weeks["lower_94"], weeks["upper_94"])
        rows.append(
            {
                "fold": fold,
                "start": weeks["week"].iloc[0],
                "weeks": len(weeks),
                "crps": weeks["crps"].mean(skipna=False),
                "naive_crps": weeks["naive_crps"].mean(skipna=False),
                **errors,
                "coverage_94": float(inside.mean()),
                "converged": bool(weeks["converged"].all()),
            }
        )
    return pd.DataFrame(rows)


def backtest_checks(by_fold: pd.DataFrame) -> tuple[Check, ...]:
    """Judge a backtest (`fold_table`) over the folds whose refit converged."""
    used = by_fold[by_fold["converged"]]
    weeks = used["weeks"]
    total, naive = ((used[name] * weeks).sum(skipna=False) for name in ("crps", "naive_crps"))
    skill = 1 - total / naive if 0 < naive < np.inf else np.nan
    coverage = (used["coverage_94"] * weeks).sum() / weeks.sum() if len(used) else np.nan
    worst = used.loc[used["coverage_94"].idxmin(), "start"] if len(used) else ""
    place = f"fold from {worst:%Y-%m-%d} is the worst" if len(used) else ""
    against = f"{weeks.sum()} weeks, whose spend and controls the model knows, the naive rule not"
    checks = (
        Check("backtest_crps_skill", STAGE, float(skill), ">=", 0.0, against, ADVICE),
        Check("backtest_coverage_94", STAGE, float(coverage), ">=", 0.75, place, ADVICE),
    )
    return assessable(checks, list(by_fold["converged"]))


@dataclass(frozen=True)
class Fold:
    """One fold of a backtest, counted from 1: its refit, and one row per forecast week."""

    number: int
    total: int
    refit: Refit
    forecast: pd.DataFrame


def run_backtest(
    refitter: Refitter,
    table: pd.DataFrame,
    lift_tests: pd.DataFrame | None,
    seed: int,
    watch: Watch,
) -> pd.DataFrame:
    """Forecast the last weeks from rolling origins, each by a model that never saw them.

    Where residuals hang together, a forecast starts from the last one that it knows.
    The scaling stays the fit's: it says what the priors mean, so all folds have the same priors.

    Parameters
    ----------
    refitter
        Of the model to test.
    table
        Weekly table; a fold trains on its first weeks.
    lift_tests
        Experiments that calibrate the model; a fold knows those of its own weeks.
    seed
        Of the refits.
    watch
        Is told of each refit.

    Returns
    -------
    pandas.DataFrame
        One row per forecast week: fold, week and the columns of `score_weeks`.
    """
    parts = []
    for fold in backtest_folds(refitter, table, lift_tests, seed):
        parts.append(fold.forecast)
        summed = fold_table(fold.forecast).iloc[0]
        measured = {name: summed[name] for name in ("crps", "naive_crps", "mape", "coverage_94")}
        until = f"fold {fold.number}, trained on {len(fold.refit.response.training)} weeks"
        watch(Step(STAGE, fold.number, fold.total, until, fold.refit, measured))
    return pd.concat(parts, ignore_index=True)


def backtest_folds(
    refitter: Refitter, table: pd.DataFrame, lift_tests: pd.DataFrame | None, seed: int
) -> Iterator[Fold]:
    """Yield the folds of `run_backtest` one by one, each as soon as it is fitted."""
    config, evidence = refitter.config, refitter.sampling
    plan = folds(len(table), evidence.folds, evidence.horizon_weeks)
    for number, (train, end) in enumerate(plan, 1):
        known = table.head(train).reset_index(drop=True)
        refit = refitter.fit(known, seed + number, lift_tests)
        sales = refit.response.forecast(table.head(end), np.random.default_rng(seed + number))
        observed = table[config.target_column].to_numpy()
        scores = score_weeks(observed[train:end], sales, observed[:train])
        scores.insert(0, "fold", number)
        scores.insert(1, "week", table[config.date_column].iloc[train:end].to_numpy())
        yield Fold(number, len(plan), refit, scores.assign(converged=refit.converged))


BACKTEST = Battery(
    name=STAGE,
    question="Does it forecast weeks that it has not seen?",
    checks={
        "backtest_crps_skill": "backtest CRPS skill",
        "backtest_coverage_94": "backtest weeks inside the 94 % interval",
    },
    run=lambda of: run_backtest(
        of.refitter, of.fitted.table, of.fitted.lift_tests, of.seed, of.watch
    ),
    judge=lambda rows: backtest_checks(fold_table(rows)),
)
