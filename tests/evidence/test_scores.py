"""Scores: arithmetic by hand, the library's numbers, and nothing where nothing was measured."""

import math
import subprocess
from dataclasses import replace
from functools import cache

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from drawn_model import drawn_model
from helpers import PROJECT, PYTHON
from mmm_demo.checks.pointwise import fitted_log_likelihood, loo
from mmm_demo.evidence import sensitivity
from mmm_demo.evidence.scores import (
    BACKTEST,
    COVERAGE,
    CRPS,
    CRPS_SE,
    ELPD,
    ELPD_SE,
    METRICS,
    PARETO_K,
    PLAN,
    POINTWISE,
    ROAS,
    backtest_scores,
    loo_scores,
    plan_scores,
    pointwise,
    read_table,
    roas_scores,
    standard_error,
)
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import sales_sha256
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.experiment import BudgetConfig

RNG = np.random.default_rng(3)


@cache
def certain_model() -> FittedModel:
    """Return the drawn model with draws close to their mean, as a posterior's are."""
    drawn = drawn_model()
    draws = drawn.trace["posterior"].to_dataset()
    mean = draws.mean(("chain", "draw"))
    groups = {name: drawn.trace[name].to_dataset() for name in drawn.trace.children}
    groups["posterior"] = mean + 0.01 * (draws - mean)
    return FittedModel(drawn.config, xr.DataTree.from_dict(groups))


def forecast(**columns: object) -> pd.DataFrame:
    """Return four forecast weeks in two folds, three of them inside their interval."""
    plain = {
        "fold": [1, 1, 2, 2],
        "week": pd.date_range("2025-01-06", periods=4, freq="7D"),
        "observed": [100.0, 200.0, 100.0, 100.0],
        "lower_94": [90.0, 210.0, 90.0, 100.0],
        "upper_94": [110.0, 240.0, 110.0, 120.0],
        "crps": [10.0, 20.0, 30.0, 40.0],
        "converged": True,
    }
    return pd.DataFrame(plain | columns)


# Backtest


def test_backtest_scores_by_hand() -> None:
    found = backtest_scores(forecast())
    assert found[CRPS] == 25.0
    assert found[COVERAGE] == 0.75
    # Fold means 15 and 35: their standard error is 10, more than that of four independent weeks.
    assert found[CRPS_SE] == pytest.approx(10.0)


@pytest.mark.parametrize(
    "broken",
    [
        {"converged": [True, True, True, False]},
        {"converged": [True, True, True, None]},
        {"converged": "True"},  # text is no verdict
        {"crps": [10.0, np.nan, 30.0, 40.0]},
        {"crps": [10.0, np.inf, 30.0, 40.0]},
        {"observed": [100.0, np.nan, 100.0, 100.0]},
        {"lower_94": [90.0, np.nan, 90.0, 100.0]},
    ],
)
def test_nothing_is_scored_where_a_fold_was_not_measured(broken: dict) -> None:
    found = backtest_scores(forecast(**broken))
    assert set(found) == {CRPS, CRPS_SE, COVERAGE}
    assert all(math.isnan(value) for value in found.values())


def test_no_forecast_is_no_score() -> None:
    assert all(math.isnan(value) for value in backtest_scores(forecast().head(0)).values())


def test_forecast_without_a_column_is_refused() -> None:
    with pytest.raises(ValueError, match=r"scores/backtest.csv lacks the columns crps, converged"):
        backtest_scores(forecast().drop(columns=["crps", "converged"]))


def test_standard_error_of_one_fold_cannot_be_told() -> None:
    assert math.isnan(standard_error(np.array([1.0, 2.0, 3.0]), np.array([1, 1, 1])))
    assert math.isnan(standard_error(np.array([1.0, np.nan]), np.array([1, 2])))


def test_fold_means_that_lie_together_by_chance_do_not_make_it_small() -> None:
    values, folds = np.array([0.0, 10.0, 0.0, 10.0]), np.array([1, 1, 2, 2])
    assert standard_error(values, folds) == pytest.approx(np.std(values, ddof=1) / 2)


def test_standard_error_is_that_of_the_fold_means() -> None:
    folds = np.repeat(range(5), 8)
    values = RNG.normal(size=5)[folds] * 10 + RNG.normal(size=40)
    by_fold = pd.Series(values).groupby(folds).mean()
    assert standard_error(values, folds) == pytest.approx(by_fold.sem())


@pytest.mark.parametrize("within", [0.0, 1.0], ids=["independent weeks", "weeks that go together"])
def test_one_standard_error_holds_for_about_two_thirds_of_all_samples(within: float) -> None:
    """An error that took weeks of a fold for independent would hold for a third where they go
    together."""
    folds = np.repeat(range(5), 8)
    draws = within * RNG.normal(size=(600, 5))[:, folds] + RNG.normal(size=(600, 40))
    errors = np.array([standard_error(values, folds) for values in draws])
    held = np.mean(np.abs(draws.mean(axis=1)) <= errors)
    assert 0.6 < held < 0.8
    naive = draws.std(axis=1, ddof=1) / math.sqrt(40)
    if within:
        assert np.mean(np.abs(draws.mean(axis=1)) <= naive) < 0.5


# Leave-one-out


def test_pointwise_is_that_of_the_library_model() -> None:
    fitted = certain_model()
    theirs = loo(fitted_log_likelihood(fitted), fitted.trace["posterior"].to_dataset())
    ours = pointwise(fitted.response)
    assert list(ours) == ["week", "elpd_i", "pareto_k"]
    assert (ours["week"].to_numpy() == fitted.weeks).all()
    np.testing.assert_allclose(ours["elpd_i"], theirs.elpd_i, rtol=1e-6)
    found = loo_scores(ours)
    assert set(found) == {ELPD, ELPD_SE, PARETO_K}
    assert found[ELPD] == pytest.approx(theirs.elpd)
    assert found[ELPD_SE] == pytest.approx(theirs.se)
    assert found[PARETO_K] == pytest.approx(float(theirs.pareto_k.max()))


def test_elpd_is_in_sales_units_whatever_the_scaling() -> None:
    """A model that divides sales by twice as much, with parameters half as large, is the same."""
    response = certain_model().response
    names = ("intercept_contribution", "saturation_beta", "gamma_control", "gamma_fourier")
    halved = {name: response.posterior[name] / 2 for name in (*names, "y_sigma")}
    other = replace(
        response,
        scaling=replace(response.scaling, target=2 * response.scaling.target),
        posterior=response.posterior.assign(halved),
    )
    np.testing.assert_allclose(pointwise(other)["elpd_i"], pointwise(response)["elpd_i"])


@pytest.mark.parametrize("column", ["elpd_i", "pareto_k"])
def test_no_sum_over_weeks_of_which_one_is_not_known(column: str) -> None:
    by_week = pd.DataFrame({"week": [1, 2], "elpd_i": [-1.0, -2.0], "pareto_k": [0.1, 0.2]})
    assert loo_scores(by_week)[ELPD] == -3.0
    by_week.loc[1, column] = np.nan
    assert all(math.isnan(value) for value in loo_scores(by_week).values())
    assert all(math.isnan(value) for value in loo_scores(by_week.head(0)).values())


# ROAS and plan


def test_roas_by_channel() -> None:
    response = certain_model().response
    found = roas_scores(response)
    assert list(found["channel"]) == ["TV", "Radio"]
    draws = response.roas(certain_model().spend.to_numpy())
    assert found["median"].to_numpy() == pytest.approx(np.median(draws, axis=0))
    assert found["lower_94"].to_numpy() == pytest.approx(np.quantile(draws, 0.03, axis=0))
    assert (found["lower_94"] < found["median"]).all()
    assert (found["median"] < found["upper_94"]).all()


def test_plan_spends_the_budget() -> None:
    found = plan_scores(certain_model(), BudgetConfig(weeks=4, total_budget=8000.0))
    assert list(found["channel"]) == ["TV", "Radio"]
    assert found["planned"].sum() == pytest.approx(8000.0)


def test_plan_that_cannot_be_made_is_not_known(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise BudgetError("bounds clash")

    monkeypatch.setattr(sensitivity, "optimize_budget", refuse)
    assert plan_scores(certain_model(), BudgetConfig())["planned"].isna().all()


# What is stored


@pytest.mark.parametrize(
    ("name", "table"),
    [
        (BACKTEST, forecast()),
        (POINTWISE, pointwise(certain_model().response)),
        (ROAS, roas_scores(certain_model().response)),
        (PLAN, pd.DataFrame({"channel": ["TV"], "planned": [np.nan]})),
    ],
)
def test_stored_tables_come_back_as_they_were(name: str, table: pd.DataFrame, tmp_path) -> None:
    assert read_table(tmp_path, name) is None
    (tmp_path / "scores").mkdir()
    (tmp_path / name).write_text(table.to_csv(index=False))
    pd.testing.assert_frame_equal(read_table(tmp_path, name), table, check_dtype=False)
    (tmp_path / name).write_text(table.iloc[:, 1:].to_csv(index=False))
    with pytest.raises(ValueError, match=f"{name} lacks the columns {table.columns[0]}"):
        read_table(tmp_path, name)


def test_sales_are_known_by_dates_and_sales_alone() -> None:
    fitted = certain_model()
    table, config = fitted.table, fitted.config
    known = sales_sha256(table, config)
    assert sales_sha256(table.assign(TV=0.0), config) == known
    renamed = table.rename(columns={"Sales": "Revenue"})
    assert sales_sha256(renamed, replace(config, target_column="Revenue")) == known
    assert sales_sha256(table.assign(Sales=table["Sales"] + 1.0), config) != known
    assert sales_sha256(table.assign(Week=table["Week"] + pd.Timedelta(days=7)), config) != known
    assert sales_sha256(table.iloc[1:], config) != known


def test_names_of_the_metrics_load_no_library_that_makes_them() -> None:
    heavy = ("arviz", "nutpie", "pymc_marketing", "mlflow")
    script = (
        f"import sys, mmm_demo.evidence.scores; print([n for n in {heavy} if n in sys.modules])"
    )
    done = subprocess.run(
        [PYTHON, "-c", script], capture_output=True, text=True, check=True, cwd=PROJECT
    )
    assert done.stdout.strip() == "[]"
    assert len(set(METRICS)) == 6
