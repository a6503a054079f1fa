"""Two units in one column are seen, and ordinary spend, however skewed, is left alone."""

from collections.abc import Callable

import numpy as np
import pytest

from each import each
from mmm_demo.tables.two_levels import dotted, is_many, lasts, two_levels

Rng = np.random.Generator
WEEKS = 120


def lognormal(rng: Rng, sd: float = 0.6, mean: float = 10.0) -> np.ndarray:
    return rng.lognormal(mean, sd, WEEKS)


def dark(rng: Rng) -> np.ndarray:
    return lognormal(rng, 1.2) * (rng.random(WEEKS) < 0.6)


def flights(rng: Rng) -> np.ndarray:
    """Low spend in every week, and a hundred times as much in some flights."""
    on = np.zeros(WEEKS, dtype=bool)
    for start in (20, 60, 95):
        on[start : start + 4] = True
    return np.where(on, 100.0, 1.0) * lognormal(rng, 0.3)


def monthly(rng: Rng) -> np.ndarray:
    """Monthly money, spread over the weeks, of which one month has a hundredth."""
    months = np.repeat(rng.lognormal(10, 0.5, WEEKS // 4), 4)
    months[40:44] /= 100
    return months


def ramp(rng: Rng) -> np.ndarray:
    return np.geomspace(1e3, 1e5, WEEKS) * lognormal(rng, 0.3, 0.0)


ORDINARY: dict[str, Callable[[Rng], np.ndarray]] = {
    "skewed": lambda rng: lognormal(rng, 1.2),
    "skewed and dark in some weeks": dark,
    "gamma": lambda rng: rng.gamma(2.0, 1e4, WEEKS),
    "whole numbers": lambda rng: np.round(lognormal(rng, 0.9, 6.0)),
    "in thousands": lambda rng: np.round(lognormal(rng, 0.9, 3.0), 3),
    "flights over low spend": flights,
    "one month of next to nothing": monthly,
    "growth by a hundred": ramp,
    "dark but for a few weeks": lambda rng: dark(rng) * (rng.random(WEEKS) < 0.1),
    "never on": lambda rng: np.zeros(WEEKS),
    "constant": lambda rng: np.full(WEEKS, 5.0),
}


@each(kind=ORDINARY, seed=range(25))
def test_ordinary_spend_has_one_unit(kind: str, seed: int) -> None:
    values = ORDINARY[kind](np.random.default_rng(seed))
    high = two_levels(values, "high")
    assert not is_many(values[two_levels(values, "low")])
    assert not dotted(values).any()
    assert not lasts(high, values > 0)


@each(seed=range(10))
@pytest.mark.parametrize(
    "rows",
    [slice(0, 30), slice(40, 50), slice(None, None, 5), slice(100, None)],
    ids=["at first", "for some weeks", "in every fifth week", "at last"],
)
def test_weeks_in_thousands_are_seen_and_no_others(rows: slice, seed: int) -> None:
    values = lognormal(np.random.default_rng(seed)) * (np.arange(WEEKS) % 7 > 0)
    expected = np.zeros(WEEKS, dtype=bool)
    expected[rows] = True
    values[rows] /= 1000
    assert (two_levels(values, "low") == (expected & (values > 0))).all()
    assert not two_levels(values, "high").any()


@each(seed=range(10))
def test_a_unit_that_changed_for_good_is_seen_upwards(seed: int) -> None:
    values = lognormal(np.random.default_rng(seed))
    values[-30:] *= 1000
    high = two_levels(values, "high")
    assert np.flatnonzero(high).tolist() == list(range(WEEKS - 30, WEEKS))
    assert lasts(high, values > 0)


def test_one_week_is_odd_where_nothing_comes_near_it() -> None:
    values = lognormal(np.random.default_rng(1), 0.3)
    values[7] /= 1000
    assert np.flatnonzero(two_levels(values, "low")).tolist() == [7]
    values[7] = values.max() / 40
    assert not two_levels(values, "low").any()


@each(seed=range(10), mean=[5.0, 7.0, 8.0])
def test_dots_between_thousands_are_seen_in_any_number(mean: float, seed: int) -> None:
    money = np.round(lognormal(np.random.default_rng(seed), 1.0, mean)).clip(max=99_999)
    read = np.where(money >= 1000, money / 1000, money)
    seen = dotted(read)
    assert (seen == ((money >= 1000) & (money % 1000 > 0))).all() == bool(seen.any())
    assert seen.any() == (((money < 1000) & (money > 0)).sum() >= 3 and (money >= 1000).sum() >= 4)


def test_many_is_a_matter_of_amounts_or_of_weeks() -> None:
    assert not is_many(np.array([1.0, 2.0, 3.0]))
    assert is_many(np.array([1.0, 2.0, 3.0, 4.0]))
    assert not is_many(np.repeat([1.0, 2.0], 4))  # two months, spread over their weeks
    assert is_many(np.full(9, 1.0))
