"""The search for the best spend, and the certificate that nothing allowed is much better."""

from dataclasses import dataclass, replace

import numpy as np
import pytest

from drawn_model import drawn_model
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.planning.feasible import Limit, Region, region_of
from mmm_demo.planning.solver import (
    GAP_MAX,
    GOOD,
    Goal,
    _search,
    certificate,
    evaluate,
    goal_of,
    maximise,
    tail_mean,
)
from mmm_demo.planning.surface import Brought, ByTotals, ByWeek, Media
from mmm_demo.planning.window import BudgetError, window_of
from mmm_demo.settings.scenario import Scenario


@dataclass(frozen=True)
class Logs:
    """Concave by hand: a channel brings `worth * log(1 + spend / half)`; (channel, sample)."""

    worth: np.ndarray
    half: np.ndarray

    def at(self, spend: np.ndarray) -> Brought:
        inside = self.worth * np.log1p(spend[:, None] / self.half)
        slope = self.worth / (self.half + spend[:, None])
        return Brought(inside, 0 * inside, slope[:, None, :])

    def gradient(self, brought: Brought, weights: np.ndarray) -> np.ndarray:
        return brought.slope[:, 0] @ weights


@dataclass(frozen=True)
class Hills(Logs):
    """S-shaped by hand: `worth * spend**2 / (spend**2 + half**2)`."""

    def at(self, spend: np.ndarray) -> Brought:
        x, square = spend[:, None], self.half**2
        inside = self.worth * x**2 / (x**2 + square)
        slope = self.worth * 2 * x * square / (x**2 + square) ** 2
        return Brought(inside, 0 * inside, slope[:, None, :])


def box(low: list[float], high: list[float], budget: float, exact: bool = True) -> Region:
    return Region(np.array(low, float), np.array(high, float), (), budget, exact)


def logs(worth: list[float], half: float = 1.0) -> Logs:
    """One draw, so that the optimum is known: water-filling."""
    return Logs(np.array(worth)[:, None], np.full((len(worth), 1), half))


def uncertain(rng: np.random.Generator, size: int, kind: type = Logs, samples: int = 40) -> Logs:
    worth = rng.gamma(3, 1, (size, 1)) * np.exp(rng.normal(0, 0.4, (size, samples)))
    return kind(worth, rng.uniform(10, 300, (size, 1)) * np.ones((1, samples)))


def random_region(rng: np.random.Generator, size: int, exact: bool) -> Region:
    low, high = rng.uniform(0, 30, size), rng.uniform(60, 300, size)
    budget = rng.uniform(low.sum() * 1.1, high.sum() * 0.9)
    pair = np.zeros(size)
    pair[:2] = 1
    most = rng.uniform(low[:2].sum() * 1.2, high[:2].sum())
    room = high.sum() - high[:2].sum() + most
    return Region(low, high, (Limit("pair", pair, most),), min(budget, 0.95 * room), exact)


def random_spends(rng: np.random.Generator, region: Region, number: int) -> np.ndarray:
    corners = [region.furthest(rng.normal(size=len(region.low))) for _ in range(30)]
    return rng.dirichlet(np.full(len(corners), 0.2), number) @ np.array(corners)


# The mean of the tail


def exact_tail(draws: np.ndarray, tail: float) -> float:
    worst, count = np.sort(draws), tail * len(draws)
    whole = int(count)
    edge = (count - whole) * worst[min(whole, len(worst) - 1)]
    return (worst[:whole].sum() + edge) / count


DRAWS = {
    "normal": np.random.default_rng(0).normal(5e6, 1e6, 2000),
    "skewed": 1e-3 * np.exp(np.random.default_rng(1).normal(0, 0.5, 2000)),
    "both signs": np.random.default_rng(2).normal(0, 1, 400),
    "few": np.random.default_rng(3).normal(100, 20, 20),
}
tails = pytest.mark.parametrize("tail", [0.05, 0.1, 0.25, 0.5])
every_draws = pytest.mark.parametrize("name", DRAWS)


@every_draws
@tails
def test_the_tail_is_the_mean_of_the_worst_draws(name, tail):
    draws = DRAWS[name]
    mean, weights = tail_mean(draws, tail)
    assert mean == pytest.approx(exact_tail(draws, tail), abs=0.005 * draws.std())
    assert mean <= exact_tail(draws, tail) + 1e-9 * draws.std()  # smoothing never flatters
    assert weights.sum() == pytest.approx(1)
    assert (weights > -0.1 / len(draws)).all()
    order = np.argsort(draws)
    assert (np.diff(weights[order]) <= 1e-12).all()  # the worse a draw, the more it counts
    assert weights[order][: int(tail * len(draws))].sum() > 0.8


@every_draws
def test_all_draws_are_their_mean(name):
    mean, weights = tail_mean(DRAWS[name], 1.0)
    assert mean == pytest.approx(DRAWS[name].mean())
    assert np.allclose(weights, 1 / len(weights))


@every_draws
@tails
def test_the_weights_are_the_slope_of_the_tail(name, tail):
    rng, draws = np.random.default_rng(4), DRAWS[name]
    weights, step = tail_mean(draws, tail)[1], 1e-4 * draws.std()
    for _ in range(5):
        way = rng.normal(size=len(draws))
        up, down = tail_mean(draws + step * way, tail)[0], tail_mean(draws - step * way, tail)[0]
        size = np.linalg.norm(weights) * np.linalg.norm(way)
        assert (up - down) / (2 * step) == pytest.approx(weights @ way, abs=1e-5 * size)


def test_the_tail_of_constants_is_the_constant():
    for level in (0.0, -3.0, 5e6):
        mean, weights = tail_mean(np.full(50, level), 0.1)
        assert mean == pytest.approx(level, rel=1e-9)
        assert np.allclose(weights, 1 / 50)


@tails
def test_the_tail_moves_and_scales_with_the_draws(tail):
    draws = DRAWS["both signs"]
    mean = tail_mean(draws, tail)[0]
    assert tail_mean(3 * draws + 50, tail)[0] == pytest.approx(3 * mean + 50)


# Goals


def test_the_goal_of_each_objective():
    expected = {
        "response": Goal(1.0, 0.0, 1.0, None, 0.0),
        "profit": Goal(0.4, 1.0, 1.0, None, 0.0),
        "cvar": Goal(1.0, 0.0, 0.2, None, 0.0),
        "target_response": Goal(0.0, 1.0, 1.0, 7.0, 0.0),
        "target_roas": Goal(1.0, 0.0, 1.0, 0.0, 7.0),
        "target_mroas": Goal(1.0, 7.0, 1.0, None, 0.0),
    }
    asked = {"profit": {"margin": 0.4}, "cvar": {"tail": 0.2}}
    asked |= {name: {"target": 7.0} for name in expected if name.startswith("target")}
    found = {
        name: goal_of(Scenario("a", objective=name, **asked.get(name, {}))) for name in expected
    }
    assert found == expected


def test_a_point_is_judged_by_hand():
    surface, spend = Logs(np.array([[2.0, 4.0], [1.0, 3.0]]), np.ones((2, 2))), np.array([1.0, 3.0])
    draws = np.array([2 * np.log(2) + np.log(4), 4 * np.log(2) + 3 * np.log(4)])
    slope = np.array([3 / 2, 2 / 4])
    point = evaluate(Goal(0.5, 2.0, least=1.0, least_roas=0.5), surface, spend)
    assert point.value == pytest.approx(0.5 * draws.mean() - 2 * 4)
    assert point.at_stake == pytest.approx(0.5 * draws.mean() + 2 * 4)
    assert np.allclose(point.slope, 0.5 * slope - 2)
    assert point.need == pytest.approx(draws.mean() - 1 - 0.5 * 4)
    assert np.allclose(point.need_slope, slope - 0.5)
    assert evaluate(Goal(), surface, spend).need == np.inf
    worst = evaluate(Goal(tail=0.5), surface, spend)
    assert worst.value == pytest.approx(draws.min(), rel=1e-3)
    assert np.allclose(worst.slope, [2 / 2, 1 / 4], rtol=1e-3)


# The certificate


def test_it_is_zero_at_an_optimum_known_by_hand_and_nowhere_else():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], 6.0)
    best = np.array([5.0, 1.0])  # 3 / (1 + 5) = 1 / (1 + 1)
    assert certificate(Goal(), region, evaluate(Goal(), surface, best)) < 1e-12
    for moved in (-1.0, -0.1, 0.1, 1.0):
        other = evaluate(Goal(), surface, best + np.array([moved, -moved]))
        gained = evaluate(Goal(), surface, best).value - other.value
        assert certificate(Goal(), region, other) * other.at_stake >= gained > 0


def test_it_is_zero_at_a_corner_where_slopes_differ():
    surface, region = logs([30.0, 1.0]), box([0, 0.5], [4, 10], 6.0)
    point = evaluate(Goal(), surface, np.array([4.0, 2.0]))
    assert point.slope[0] > 5 * point.slope[1]
    assert certificate(Goal(), region, point) < 1e-12


def test_money_left_over_is_seen():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], 6.0, exact=False)
    assert certificate(Goal(), region, evaluate(Goal(), surface, np.array([4.0, 1.0]))) > 0.05
    mean = Goal(price=0.5)
    best = np.array([5.0, 1.0])
    assert certificate(mean, region, evaluate(mean, surface, best)) < 1e-12


def test_a_missed_need_is_certified_by_nothing():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], np.inf, exact=False)
    goal, spend = Goal(worth=0.0, price=1.0, least=6.0), np.array([2.0, 0.0])
    assert certificate(goal, region, evaluate(goal, surface, spend)) == np.inf


def test_the_cheapest_way_to_a_target_is_certified_and_a_dearer_one_is_not():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], np.inf, exact=False)
    target = 3 * np.log(6) + np.log(2)
    goal = Goal(worth=0.0, price=1.0, least=target)
    assert certificate(goal, region, evaluate(goal, surface, np.array([5.0, 1.0]))) < 1e-9
    dear = np.array([4.0, np.expm1(target - 3 * np.log(5))])
    assert certificate(goal, region, evaluate(goal, surface, dear)) > 0.01


GOALS = {
    "response": Goal(),
    "tail": Goal(tail=0.2),
    "profit": Goal(worth=10.0, price=0.1),
    "target": Goal(worth=0.0, price=1.0, least=-1.0),  # decided by problem
    "roas": Goal(least=0.0, least_roas=-1.0),  # decided by problem
}


def problem(name: str, seed: int) -> tuple[Goal, Region, Logs]:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 6))
    surface = uncertain(rng, size)
    region = random_region(rng, size, exact=name in ("response", "tail"))
    most = surface.at(region.furthest(np.ones(size))).total.mean()
    least = surface.at(region.low).total.mean()
    goal = GOALS[name]
    if name == "target":
        goal = replace(goal, least=least + 0.6 * (most - least))
    if name == "roas":
        money = region.furthest(np.ones(size)).sum()
        goal = replace(goal, least_roas=0.6 * most / money + 0.4 * least / region.low.sum())
    return goal, region, surface


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GOALS)
def test_no_allowed_spend_beats_the_certificate(name, seed):
    goal, region, surface = problem(name, seed)
    rng = np.random.default_rng(seed + 100)
    spends = random_spends(rng, region, 120)
    points = [evaluate(goal, surface, spend) for spend in spends]
    allowed = [point for point in points if point.need >= 0]
    assert len(allowed) > 3
    top = max(point.value for point in allowed)
    for point in allowed[:15]:
        # The width of the tail's smoothed edge is no part of its slope: some 0.1 % of slack.
        slack = 1e-3 if goal.tail < 1 else 1e-9
        assert top - point.value <= (certificate(goal, region, point) + slack) * point.at_stake
    best = maximise(goal, region, surface, spends[0], concave=True)
    found = evaluate(goal, surface, best)
    assert certificate(goal, region, found) <= GAP_MAX
    assert top - found.value <= 1e-3 * found.at_stake


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GOALS)
def test_the_best_is_found_from_bad_starts_and_keeps_all_limits(name, seed):
    goal, region, surface = problem(name, seed)
    size = len(region.low)
    alone = np.zeros(size)
    alone[-1] = 1e4
    starts = [np.zeros(size), alone, np.full(size, 1e9)]
    values = []
    for start in starts:
        spend = maximise(goal, region, surface, start, concave=True)
        point = evaluate(goal, surface, spend)
        values.append(point.value)
        money = 1e-6 * spend.sum()
        assert (spend >= region.low).all()
        assert (spend <= region.high).all()
        assert region.rows[0] @ spend <= region.rows[1] + money
        assert spend.sum() <= region.budget + money
        assert not region.exact or spend.sum() >= region.budget - money
        assert point.need >= -1e-4 * point.need_size
        assert certificate(goal, region, point) <= GAP_MAX
    assert np.ptp(values) <= 2e-3 * evaluate(goal, surface, spend).at_stake


def test_the_optimum_by_hand_is_found():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], 6.0)
    found = maximise(Goal(), region, surface, np.array([0.0, 6.0]), concave=True)
    assert np.allclose(found, [5, 1], atol=1e-3)


def test_spending_ends_where_the_next_unit_no_longer_pays():
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], np.inf, exact=False)
    found = maximise(Goal(price=0.6), region, surface, np.zeros(2), concave=True)
    assert np.allclose(found, [4, 2 / 3], atol=1e-3)
    none = maximise(Goal(price=3.5), region, surface, np.ones(2), concave=True)
    assert np.allclose(none, 0, atol=1e-6)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e9])
def test_the_unit_of_money_does_not_matter(scale):
    surface, region = logs([3.0, 1.0], half=scale), box([0, 0], [10 * scale] * 2, 6 * scale)
    found = maximise(Goal(), region, surface, np.zeros(2), concave=True)
    assert np.allclose(found / scale, [5, 1], atol=1e-3)


@pytest.mark.parametrize("budget", [1e2, 1e6, 1e10, 1e13])
def test_a_maximum_that_says_nothing_does_not_matter(budget):
    surface, region = logs([3.0, 1.0]), box([0, 0], [10, 10], budget, exact=False)
    found = maximise(Goal(price=0.6), region, surface, np.zeros(2), concave=True)
    assert np.allclose(found, [4, 2 / 3], atol=1e-3)


def test_one_channel_has_no_choice():
    found = maximise(Goal(), box([0], [10], 6.0), logs([3.0]), np.zeros(1), concave=True)
    assert found == pytest.approx([6.0])


def test_where_all_is_fixed_there_is_nothing_to_search():
    region = box([2, 4], [2, 4], 6.0)
    found = maximise(Goal(), region, logs([3.0, 1.0]), np.zeros(2), concave=True)
    assert found.tolist() == [2, 4]


def test_a_channel_that_brings_nothing_gets_nothing():
    surface, region = logs([3.0, 0.0]), box([0, 0], [10, 10], 6.0)
    assert np.allclose(maximise(Goal(), region, surface, np.ones(2), concave=True), [6, 0])


# Out of reach


def test_a_response_out_of_reach_names_the_closest():
    surface, region = logs([3.0, 1.0]), box([0, 0], [5, 1], np.inf, exact=False)
    most = 3 * np.log(6) + np.log(2)
    with pytest.raises(BudgetError) as refused:
        goal = Goal(worth=0.0, price=1.0, least=7.0)
        maximise(goal, region, surface, np.ones(2), concave=True)
    text = str(refused.value)
    assert text.startswith("target 7 is out of reach")
    assert f"comes closest is 6, expected to bring {most:.3g} sales by media;" in text
    assert "lower the target" in text


def test_a_roas_out_of_reach_names_the_closest():
    surface, region = logs([3.0, 1.0]), box([1, 0], [10, 10], np.inf, exact=False)
    roas = 3 * np.log(2)  # of the least that may be spent
    with pytest.raises(BudgetError, match=rf"target 2\.20 is out of reach.*ROAS of {roas:.3g};"):
        goal = Goal(least=0.0, least_roas=2.2)
        maximise(goal, region, surface, np.ones(2), concave=True)
    found = maximise(Goal(least=0.0, least_roas=2.0), region, surface, np.ones(2), concave=True)
    assert surface.at(found).total.mean() / found.sum() == pytest.approx(2.0, rel=1e-3)


def test_the_most_that_can_be_reached_is_in_reach():
    surface, region = logs([3.0, 1.0]), box([0, 0], [5, 1], np.inf, exact=False)
    goal = Goal(worth=0.0, price=1.0, least=(3 * np.log(6) + np.log(2)) * (1 - 1e-6))
    found = maximise(goal, region, surface, np.ones(2), concave=True)
    assert np.allclose(found, [5, 1], atol=1e-2)


# The model itself, week by week


PRICED = [
    {"objective": "profit", "margin": 0.5},
    {"objective": "target_mroas", "target": 1.0},
    {"objective": "target_roas", "target": 2.0},
    {"objective": "target_response", "target": 3e6},
]


@pytest.mark.parametrize("asked", PRICED, ids=[asked["objective"] for asked in PRICED])
@pytest.mark.parametrize("smoothness", [None, 0.3])
def test_weeks_are_solved_without_a_budget_and_are_no_worse_than_totals(asked, smoothness):
    fitted, bounds = drawn_model(), {"TV": (0.0, 2e6), "Radio": (0.0, 1e6)}
    scenario = Scenario("a", bounds=bounds, **asked)
    window = window_of(fitted, 4, None, {})
    goal, region = goal_of(scenario), region_of(scenario, window)
    media = Media(window, fitted.response)
    even = ByTotals(media, np.full((4, 2), 1 / 4))
    totals = maximise(goal, region, even, window.current, concave=True)
    whole = evaluate(goal, even, totals)
    start = even.weekly(window.current).ravel()
    weekly, surface = region.by_week(np.zeros((4, 2)), smoothness), ByWeek(media)
    spend = maximise(goal, weekly, surface, start, concave=True)
    point = evaluate(goal, surface, spend)
    assert certificate(goal, weekly, point) <= GAP_MAX
    assert point.value >= whole.value - GAP_MAX * whole.at_stake


@pytest.mark.parametrize("form", ["logistic", "michaelis_menten"])
@pytest.mark.parametrize("tail", [0.05, 0.1])
def test_the_worst_draws_of_the_model_are_certified_in_one_search(form, tail):
    """The slope of the tail is exact, so that a search does not stall before the optimum."""
    config = replace(drawn_model().config, saturation=form)
    fitted = FittedModel(config, drawn_model().trace)
    scenario = Scenario(
        "a", objective="cvar", tail=tail, bounds={"TV": (0, 2e6), "Radio": (0, 1e6)}
    )
    window = window_of(fitted, 13, None, {})
    goal, region = goal_of(scenario), region_of(scenario, window)
    surface = ByTotals(Media(window, fitted.response), np.full((13, 2), 1 / 13))
    point = _search(goal, region, surface, window.current)
    assert certificate(goal, region, point) <= GOOD


# S-shaped


def test_several_starts_find_the_better_hill():
    """At the start, the second channel's first unit brings nothing; in the end it is better."""
    surface = Hills(np.array([[1.0], [3.0]]), np.array([[2.0], [8.0]]))
    region, start = box([0, 0], [10, 10], 10.0), np.array([10.0, 0.0])
    grid = np.linspace(0, 10, 1001)
    values = [surface.at(np.array([one, 10 - one])).total.mean() for one in grid]
    best = grid[np.argmax(values)]
    near = maximise(Goal(), region, surface, start, concave=True)
    far = maximise(Goal(), region, surface, start, concave=False)
    assert far[0] == pytest.approx(best, abs=0.05)
    assert evaluate(Goal(), surface, near).value < 0.6 * max(values)  # the start alone misses it


@pytest.mark.parametrize(("seed", "tail"), [(0, 1.0), (1, 1.0), (2, 1.0), (3, 0.2)])
def test_s_shaped_problems_are_solved_as_well_as_by_random_search(seed, tail):
    rng = np.random.default_rng(seed)
    surface, region = uncertain(rng, 3, Hills, samples=20), random_region(rng, 3, exact=True)
    goal = Goal(tail=tail)
    found = maximise(goal, region, surface, np.zeros(3), concave=False)
    spends = random_spends(rng, region, 200)
    top = max(evaluate(goal, surface, spend).value for spend in spends)
    assert evaluate(goal, surface, found).value >= top * (1 - 1e-3)


def test_an_s_shaped_model_starts_from_nothing():
    """No spend is flat there: each first unit brings nothing."""
    fitted = FittedModel(replace(drawn_model().config, saturation="s_shaped"), drawn_model().trace)
    window = window_of(fitted, 4, None, {})
    scenario = Scenario(
        "a", objective="profit", margin=5.0, bounds={"TV": (0, 1e6), "Radio": (0, 1e6)}
    )
    surface = ByTotals(Media(window, fitted.response), np.full((4, 2), 1 / 4))
    goal, region = goal_of(scenario), region_of(scenario, window)
    found = maximise(goal, region, surface, np.zeros(2), concave=False)
    assert evaluate(goal, surface, found).value > 0
    assert certificate(goal, region, evaluate(goal, surface, found)) <= GOOD
