"""Plans over channels that differ: their curves and slopes, and what may be certified."""

from itertools import product

import numpy as np
import pytest

from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.surface import ByTotals, ByWeek, Media
from mmm_demo.planning.window import window_of
from mmm_demo.settings.scenario import Scenario
from own_forms import own_forms

WEEKS, WIDE = 6, {"*": (0.0, 2.0)}


def media(concave: bool, step: int = 1) -> Media:
    fitted = own_forms(concave)
    return Media(window_of(fitted, WEEKS, None, {"TV": 2.0}), fitted.response, step)


def planner(concave: bool) -> Planner:
    return Planner(own_forms(concave), window_of(own_forms(concave), WEEKS, None, {}))


@pytest.mark.parametrize("concave", [True, False])
@pytest.mark.parametrize("step", [1, 3])
def test_spend_brings_what_the_model_says_with_its_slope(concave, step) -> None:
    rng, one = np.random.default_rng(3), media(concave, step)
    fitted, window = own_forms(concave), one.window
    surface = ByTotals(one, np.full(window.last.shape, 1 / WEEKS))
    for scale in (0.0, 0.4, 1.0, 3.0):
        spend = scale * window.current * rng.uniform(0.5, 1.5, 3)
        money = surface.weekly(spend) / window.cost
        truth = fitted.response.incremental(fitted.spend.to_numpy(float), money).T[:, ::step]
        np.testing.assert_allclose(
            surface.at(spend).channels, truth, rtol=1e-8, atol=1e-8 * np.abs(truth).max()
        )
    weights = rng.uniform(0, 1, one.worth.shape[2])
    for of, size in ((surface, 3), (ByWeek(one), 3 * WEEKS)):
        spend = rng.uniform(0.5, 1.5, size) * window.current.sum() / size
        rows = 1e-4 * spend.mean() * np.eye(size)
        wanted = [
            (of.at(spend + row).total - of.at(spend - row).total) @ weights / (2 * row.sum())
            for row in rows
        ]
        np.testing.assert_allclose(of.gradient(of.at(spend), weights), wanted, rtol=1e-5)


def test_slopes_are_real_numbers_without_any_money() -> None:
    one = media(concave=False)
    surface = ByTotals(one, np.full(one.window.last.shape, 1 / WEEKS))
    brought = surface.at(np.zeros(3))
    assert np.isfinite(surface.marginal(brought)).all()
    assert (brought.channels == 0).all()


@pytest.mark.parametrize("concave", [True, False])
@pytest.mark.parametrize("profile", ["even", "optimised"])
def test_a_plan_is_certified_only_where_every_channels_form_is_concave(concave, profile) -> None:
    plan = planner(concave).plan(Scenario("wide", relative_bounds=WIDE, profile=profile))
    assert plan.certified is concave
    assert (plan.smallest is not None) is concave
    assert plan.gap <= 0.005
    assert plan.table["planned"].sum() == pytest.approx(plan.table["current"].sum(), rel=1e-6)


@pytest.mark.parametrize("concave", [True, False])
def test_no_plan_of_a_grid_is_better(concave) -> None:
    one = planner(concave)
    plan = one.plan(Scenario("wide", relative_bounds=WIDE, profile="even"))
    surface = ByTotals(one.media, np.full(one.window.last.shape, 1 / WEEKS))
    current = one.window.current
    shares = [np.array(pair) for pair in product(np.linspace(0, 2, 21), repeat=2)]
    grid = [np.append(pair * current[:2], current.sum() - pair @ current[:2]) for pair in shares]
    allowed = [spend for spend in grid if 0 <= spend[2] <= 2 * current[2]]
    assert len(allowed) > 50
    best = max(surface.at(spend).total.mean() for spend in allowed)
    assert plan.response.mean() >= best * (1 - 1e-9)
