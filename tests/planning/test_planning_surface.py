"""What spend brings: held to the model's own incremental response, and to its differences."""

from dataclasses import replace
from itertools import product

import numpy as np
import pandas as pd
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.surface import ByTotals, ByWeek, Media
from mmm_demo.planning.window import Window, window_of

FORMS = ("logistic", "michaelis_menten", "s_shaped")
LAGS = (1, 2, 4, 12)
WEEKS = 6
BASE = drawn_model()
LATER = f"{pd.Timestamp(BASE.weeks[-1]) + pd.Timedelta(weeks=3):%Y-%m-%d}"
CASES = [
    *product(FORMS, LAGS, [None], [{}]),
    ("logistic", 4, LATER, {}),
    ("s_shaped", 4, None, {"TV": 0.25, "Radio": 3.0}),
    ("michaelis_menten", 3, LATER, {"Radio": 7.0}),
    ("logistic", 1, LATER, {"TV": 0.5}),
]
every_case = pytest.mark.parametrize(("form", "lag", "start", "cost"), CASES)


def model(form: str = "logistic", lag: int = 4) -> FittedModel:
    return FittedModel(replace(BASE.config, saturation=form, adstock_max_lag=lag), BASE.trace)


def media(form="logistic", lag=4, start=None, cost=None, step=1, weeks=WEEKS) -> Media:
    fitted = model(form, lag)
    return Media(window_of(fitted, weeks, start, cost or {}), fitted.response, step)


def incremental(one: Media, weekly: np.ndarray) -> np.ndarray:
    """Return the model's own answer, shape (channel, sample)."""
    lag = one.response.config.adstock_max_lag
    history = np.zeros((lag, 2))
    if len(one.window.before):
        history = BASE.spend.to_numpy(float)
    return one.response.incremental(history, weekly / one.window.cost).T


def profile(rng: np.random.Generator, window: Window) -> np.ndarray:
    shares = rng.uniform(0, 1, window.last.shape)
    return shares / shares.sum(axis=0)


def spends(rng: np.random.Generator, window: Window) -> list[np.ndarray]:
    some = window.current * rng.uniform(0, 3, (4, 2))
    return [*some, np.zeros(2), np.array([0.0, some[0, 1]]), 50 * some[1]]


@every_case
def test_totals_bring_what_the_model_says(form, lag, start, cost):
    rng, one = np.random.default_rng(1), media(form, lag, start, cost)
    surface = ByTotals(one, profile(rng, one.window))
    for spend in spends(rng, one.window):
        weekly = surface.weekly(spend)
        assert np.allclose(weekly.sum(axis=0), spend)
        brought, truth = surface.at(spend), incremental(one, weekly)
        assert np.allclose(brought.channels, truth, rtol=1e-9, atol=1e-9 * np.abs(truth).max())
        assert np.allclose(brought.total, truth.sum(axis=0), rtol=1e-9)


@every_case
def test_weeks_bring_what_the_model_says(form, lag, start, cost):
    rng, one = np.random.default_rng(2), media(form, lag, start, cost)
    for scale in (0.0, 1.0, 4.0):
        weekly = scale * one.window.current / WEEKS * rng.uniform(0, 2, one.window.last.shape)
        surface = ByWeek(one)
        assert np.array_equal(surface.weekly(weekly.ravel()), weekly)
        brought, truth = surface.at(weekly.ravel()), incremental(one, weekly)
        assert np.allclose(brought.channels, truth, rtol=1e-9, atol=1e-9 * np.abs(truth).max())


def test_the_reference_tells_a_wrong_surface_apart():
    one, other = media(lag=4), media(lag=3)
    spend = one.window.current
    truth = incremental(one, np.tile(spend / WEEKS, (WEEKS, 1)))
    even = np.full((WEEKS, 2), 1 / WEEKS)
    assert np.allclose(ByTotals(one, even).at(spend).channels, truth)
    assert not np.allclose(ByTotals(other, even).at(spend).channels, truth, rtol=1e-3)
    forgets = media(lag=4, start=LATER)  # no carry-in
    assert not np.allclose(ByTotals(forgets, even).at(spend).channels, truth, rtol=1e-3)


def by_differences(surface: ByTotals | ByWeek, spend: np.ndarray, weights: np.ndarray):
    step = 1e-3 * spend.mean()
    rows = step * np.eye(len(spend))
    return np.array(
        [
            (surface.at(spend + row).total - surface.at(spend - row).total) @ weights / (2 * step)
            for row in rows
        ]
    )


@every_case
def test_slopes_are_central_differences(form, lag, start, cost):
    rng, one = np.random.default_rng(3), media(form, lag, start, cost)
    weights = rng.uniform(0, 1, one.worth.shape[2])
    totals = ByTotals(one, profile(rng, one.window))
    for surface, size in ((totals, 2), (ByWeek(one), 2 * WEEKS)):
        spend = rng.uniform(0.5, 1.5, size) * one.window.current.sum() / size
        found = surface.gradient(surface.at(spend), weights)
        wanted = by_differences(surface, spend, weights)
        assert found.shape == (size,)
        assert np.allclose(found, wanted, rtol=1e-5, atol=1e-6 * np.abs(wanted).max())


def test_the_margin_of_each_draw_is_its_own_slope():
    rng, one = np.random.default_rng(4), media()
    surface = ByTotals(one, profile(rng, one.window))
    spend = one.window.current
    margin = surface.marginal(surface.at(spend))
    assert margin.shape == (2, one.worth.shape[2])
    for draw in (0, 7):
        alone = np.eye(one.worth.shape[2])[draw]
        assert np.allclose(margin[:, draw], by_differences(surface, spend, alone), rtol=1e-5)


@pytest.mark.parametrize("step", [1, 2, 7])
def test_thinning_takes_every_nth_draw(step):
    rng = np.random.default_rng(5)
    every, some = media(), media(step=step)
    shares, spend = profile(rng, every.window), every.window.current
    whole, part = ByTotals(every, shares).at(spend), ByTotals(some, shares).at(spend)
    assert np.allclose(part.inside, whole.inside[:, ::step])
    assert np.allclose(part.after, whole.after[:, ::step])
    assert np.allclose(some.carry_in, every.carry_in[:, ::step])


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("lag", LAGS)
def test_carry_in_is_what_the_data_still_earn_after_their_end(form, lag):
    one = media(form, lag)
    spend = BASE.spend.to_numpy(float)
    after = one.response.contributions(np.vstack([spend, np.zeros((lag, 2))]))[:, len(spend) :]
    assert np.allclose(one.carry_in, after.sum(axis=1).T)
    assert (one.carry_in.max() > 0) == (lag > 1)


def test_nothing_is_carried_over_a_gap():
    assert not media(start=LATER).carry_in.any()


@pytest.mark.parametrize("lag", LAGS)
@pytest.mark.parametrize("weeks", [1, 3])
def test_inside_and_after_are_the_weeks_of_the_window_and_those_behind(lag, weeks):
    one = media(lag=lag, start=LATER, weeks=weeks)
    weekly = one.window.last
    path = one.response.contributions(np.vstack([weekly, np.zeros((lag, 2))]))
    brought = ByWeek(one).at(weekly.ravel())
    assert np.allclose(brought.inside, path[:, :weeks].sum(axis=1).T)
    assert np.allclose(brought.after, path[:, weeks:].sum(axis=1).T)
    assert np.allclose(brought.inside + brought.after, brought.channels)
    assert brought.after.any() == (lag > 1)


def test_no_spend_brings_nothing_and_a_channel_without_spend_neither():
    one = media()
    even = np.full((WEEKS, 2), 1 / WEEKS)
    assert not ByTotals(one, even).at(np.zeros(2)).total.any()
    brought = ByTotals(one, even).at(np.array([1e5, 0.0]))
    assert (brought.channels[0] > 0).all()
    assert not brought.channels[1].any()


@pytest.mark.parametrize("form", FORMS)
def test_money_without_end_stays_finite(form):
    one = media(form)
    surface = ByTotals(one, np.full((WEEKS, 2), 1 / WEEKS))
    brought = surface.at(np.full(2, 1e15))
    assert np.isfinite(brought.total).all()
    margin = surface.marginal(brought)
    assert np.isfinite(margin).all()
    assert (margin >= 0).all()
