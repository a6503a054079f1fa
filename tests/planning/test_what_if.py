"""What any other spend would bring, over few draws: held to the planner over all of them."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from drawn_model import drawn_model
from mmm_demo.forms.registry import FORMS
from mmm_demo.planning.optimize import Planner
from mmm_demo.planning.surface import ByTotals, ByWeek
from mmm_demo.planning.what_if import CURVES, MOST_DRAWS, NODES, WhatIf, forms_of, what_if
from mmm_demo.settings.scenario import Scenario
from own_forms import MEDIA, as_fitted, own_model
from planned import planner_of, study
from toy_forms import Steep

DRAWS = 900  # more than are kept
SCENARIOS = (
    Scenario("even", relative_bounds={"*": (0.7, 1.3)}),
    Scenario("historical", relative_bounds={"*": (0.5, 1.5)}, profile="historical"),
    Scenario("profit", objective="profit", margin=0.4, fixed=("TV",)),
)


@cache
def planner() -> Planner:
    return planner_of(as_fitted(own_model({}, saturation="logistic"), DRAWS))


@cache
def asked() -> WhatIf:
    plans = [planner().plan(scenario) for scenario in SCENARIOS]
    found = what_if(planner(), plans)
    assert found is not None
    return found


def test_it_answers_over_few_evenly_spaced_draws_of_all():
    assert asked().draws == DRAWS
    assert asked().media.step == 3
    assert asked().media.worth.shape[2] == DRAWS / 3 <= MOST_DRAWS


def test_at_a_plan_the_mean_is_that_of_all_draws():
    for place, start in enumerate(asked().starts):
        few = asked().sales(start.plan.table["planned"].to_numpy(), place=place)
        wanted = (start.plan.table["inside"] + start.plan.table["after"]).to_numpy()
        assert few.mean(axis=1) == pytest.approx(wanted, rel=5e-4)


def test_anywhere_the_mean_is_that_of_all_draws_and_without_what_they_add_it_is_not():
    rng, worst, bare = np.random.default_rng(1), 0.0, 0.0
    for place, start in enumerate(asked().starts):
        surface = ByTotals(planner().media, start.profile)
        thin = ByTotals(asked().media, start.profile)
        for _ in range(20):
            money = rng.uniform(0, 1, 3) * asked().most
            every = surface.at(money).total.mean()
            worst = max(worst, abs(asked().sales(money, (), place).sum(axis=0).mean() / every - 1))
            bare = max(bare, abs(thin.at(money).total.mean() / every - 1))
    assert worst < 0.001 < bare


def test_channels_that_are_kept_repeat_the_last_period_week_by_week():
    window = asked().window
    replay = asked().sales(0 * window.current, window.channels)
    assert np.array_equal(replay, asked().replay)
    exact = ByWeek(asked().media).at(window.last.ravel()).channels
    assert (replay - exact).std(axis=1) == pytest.approx(np.zeros(3), abs=1e-6 * exact.max())
    assert replay.mean(axis=1) == pytest.approx(planner().replay.channels.mean(axis=1))
    one = asked().sales(window.current, ("Radio",))
    other = asked().sales(window.current)
    assert np.array_equal(one[1], replay[1]) and not np.allclose(other[1], replay[1])
    assert np.array_equal(one[[0, 2]], other[[0, 2]])


def test_a_plan_is_left_the_way_it_spreads_money():
    even, historical, fixed = (start.profile for start in asked().starts)
    assert np.allclose(even, 1 / asked().window.weeks)
    assert np.allclose(historical, asked().last_profile)
    assert np.allclose(fixed[:, 0], asked().last_profile[:, 0])
    assert np.allclose(fixed[:, 1:], even[:, 1:])
    assert not np.allclose(historical, even)


def test_a_margin_that_is_the_only_one_holds_for_every_plan():
    assert [start.margin for start in asked().starts] == [0.4] * 3
    plans = [planner().plan(scenario) for scenario in SCENARIOS[:2]]
    assert [start.margin for start in what_if(planner(), plans).starts] == [None] * 2
    pinned = {"objective": "profit", "fixed": ("TV", "Radio", "Search")}
    two = [Scenario("low", margin=0.3, **pinned), Scenario("high", margin=0.5, **pinned)]
    two = [*plans, *(planner().plan(scenario) for scenario in two)]
    assert [start.margin for start in what_if(planner(), two).starts] == [None, None, 0.3, 0.5]


def test_one_may_ask_for_more_than_any_plan_has_but_not_without_end():
    most, window = asked().most, asked().window
    for start in asked().starts:
        assert (most >= 1.2 * start.plan.table["planned"]).all()
    assert (most >= 3 * window.current).all()
    assert (most <= 10 * window.current).all()
    wide = planner().plan(Scenario("wide", bounds={"TV": (0, 1e15)}))
    found = what_if(planner(), [wide])
    assert (found.most < 1e10).all() and (found.most >= wide.table["planned"]).all()


def test_one_may_ask_for_a_channel_that_had_no_money():
    silent = planner_of(drawn_model())
    window = replace(silent.window, last=silent.window.last * (1, 0))
    silent = Planner(silent.fitted, window)
    found = what_if(silent, [silent.plan(Scenario("one", fixed=("TV", "Radio")))])
    assert found.most[1] > 0
    assert found.sales(found.most)[1].mean() > found.sales(0 * found.most)[1].mean() == 0


def test_every_form_is_answered_for_and_an_unknown_curve_is_not(monkeypatch):
    assert set(CURVES) == set(FORMS["saturation"])
    mixed = as_fitted(own_model(MEDIA))
    assert forms_of(mixed.response) == ["hill", "hill", "linear"]
    monkeypatch.setitem(FORMS["saturation"], "steep", Steep())
    steep = planner_of(as_fitted(own_model({}, saturation="steep")))
    plan = steep.plan(Scenario("all", fixed=("TV", "Radio", "Search")))
    assert what_if(steep, [plan]) is None


def test_a_study_has_it():
    assert [start.plan for start in study().what_if.starts] == list(study().plans)
    assert NODES[0] == 0 and NODES[-1] == 1 and (np.diff(NODES) > 0).all()
