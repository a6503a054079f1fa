"""What a plan rests on: which channels the data rank, and how little would do."""

import itertools

import numpy as np
import pytest
from test_planning_solver import Logs, logs, random_region, random_spends, uncertain

from mmm_demo.planning.feasible import Limit, Region
from mmm_demo.planning.honesty import KEPT, PAIRS, rank_pairs, smallest_move
from mmm_demo.planning.plan import AGAINST, RANKED, UNRANKED, Move
from mmm_demo.planning.solver import Goal, evaluate, maximise

CHANNELS = ("TV", "Radio", "Search")
CURRENT = np.array([100.0, 100.0, 200.0])
RNG = np.random.default_rng(0)
DRAWS = np.array([2.0, 1.0, 3.0])[:, None] + 0.1 * RNG.normal(size=(3, 500))


def pairs(planned: list[float], current: np.ndarray = CURRENT, marginal: np.ndarray = DRAWS):
    table = rank_pairs(marginal, np.array(current, float), np.array(planned, float), CHANNELS)
    assert table.columns.tolist() == PAIRS
    return table


def names(table) -> list[tuple[str, str]]:
    return list(zip(table["taker"], table["giver"], strict=True))


# Which channels the data rank


def test_takers_and_givers_are_told_apart_and_crossed():
    assert names(pairs([150, 50, 200])) == [("TV", "Radio")]
    assert names(pairs([50, 150, 200])) == [("Radio", "TV")]
    assert names(pairs([200, 60, 140])) == [("TV", "Radio"), ("TV", "Search")]
    assert names(pairs([110, 120, 170])) == [("TV", "Search"), ("Radio", "Search")]


def test_a_plan_that_leaves_or_scales_all_alike_moves_nothing():
    for factor in (0.2, 1.0, 1.5, 40.0):
        assert pairs(factor * CURRENT).empty


def test_growth_of_one_channel_takes_from_the_mix():
    assert names(pairs([300, 100, 200])) == [("TV", "Radio"), ("TV", "Search")]


def test_what_is_too_small_to_matter_is_no_move():
    assert pairs([103.9, 96.1, 200]).empty  # 1 % of 400 is 4
    assert names(pairs([104.1, 95.9, 200])) == [("TV", "Radio")]


def test_no_current_or_no_planned_spend_moves_nothing():
    assert pairs([1, 2, 3], np.zeros(3)).empty
    assert pairs([0, 0, 0]).empty
    assert pairs([0, 0, 0], np.zeros(3)).empty


def test_a_channel_without_spend_may_take():
    table = pairs([100, 100, 100], np.array([0.0, 100, 200]))
    assert names(table) == [("TV", "Search")]


def test_the_numbers_of_a_pair():
    (row,) = pairs([150, 50, 200]).to_dict("records")
    difference = DRAWS[0] - DRAWS[1]
    assert row["difference"] == pytest.approx(difference.mean())
    assert row["lower_94"] == pytest.approx(np.quantile(difference, 0.03))
    assert row["upper_94"] == pytest.approx(np.quantile(difference, 0.97))
    assert row["probability"] == 1.0
    (other,) = pairs([50, 150, 200]).to_dict("records")
    assert other["difference"] == pytest.approx(-row["difference"])
    assert other["probability"] == 0.0


def test_draws_that_move_together_are_ranked_though_each_is_uncertain():
    """The difference is taken draw by draw: wide intervals that overlap may still rank."""
    shared = RNG.normal(0, 5, 500)
    marginal = np.array([shared + 1, shared, shared])
    (row,) = pairs([150, 50, 200], marginal=marginal).to_dict("records")
    assert (row["lower_94"], row["probability"]) == (pytest.approx(1), 1.0)
    apart = np.array([RNG.normal(1, 5, 500), RNG.normal(0, 5, 500), shared])
    assert pairs([150, 50, 200], marginal=apart)["lower_94"].item() < 0


# The smallest move


def moved(spend: np.ndarray, current: np.ndarray) -> float:
    return float(np.abs(spend - current).sum())


def solved(seed: int, goal: Goal, exact: bool) -> tuple[Region, Logs, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    size = int(rng.integers(2, 5))
    surface, region = uncertain(rng, size), random_region(rng, size, exact)
    current = random_spends(rng, region, 1)[0]
    return region, surface, current, maximise(goal, region, surface, current, concave=True)


GOALS = {
    "response": (Goal(), True),
    "tail": (Goal(tail=0.2), True),
    "profit": (Goal(worth=10.0, price=0.1), False),
}


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("name", GOALS)
def test_it_keeps_the_gain_and_nothing_allowed_is_closer(name, seed):
    goal, exact = GOALS[name]
    region, surface, current, planned = solved(seed, goal, exact)
    move = smallest_move(goal, region, surface, current, planned)
    current = current * planned.sum() / current.sum()  # the old mix at the plan's budget
    before, best = (evaluate(goal, surface, spend).value for spend in (current, planned))
    kept = (evaluate(goal, surface, move.planned).value - before) / (best - before)
    slack = 1e-6 * region.budget
    assert kept >= KEPT - 2e-4
    assert move.kept == pytest.approx(kept)
    assert (move.planned >= region.low).all()
    assert (move.planned <= region.high).all()
    assert region.rows[0] @ move.planned <= region.rows[1] + slack
    over = move.planned.sum() - region.budget
    assert (abs(over) if exact else over) <= slack
    size = moved(move.planned, current)
    assert size <= moved(planned, current) + slack
    change = move.planned - current
    up, down = np.maximum(change, 0).sum(), np.maximum(-change, 0).sum()
    assert move.moved == pytest.approx(max(up, down))
    rng = np.random.default_rng(seed + 50)
    for spend in closer(rng, region, current, planned, move):
        good = evaluate(goal, surface, spend).value >= before + KEPT * (best - before)
        if good and region.keeps(spend):  # the old mix at another budget need not be allowed
            assert moved(spend, current) >= size * (1 - 1e-3) - slack


def closer(rng, region: Region, current: np.ndarray, planned: np.ndarray, move: Move):
    """Return allowed spends between the status quo, the plan, the move and some others."""
    anchors = np.array([current, planned, move.planned, *random_spends(rng, region, 20)])
    weights = rng.dirichlet(np.r_[3, 3, 6, np.full(20, 0.05)], 80)
    return weights @ anchors


def test_a_grid_finds_no_smaller_one():
    surface, region = logs([3.0, 1.0]), Region(np.zeros(2), np.full(2, 10.0), (), 6.0, True)
    current, planned = np.array([2.0, 4.0]), np.array([5.0, 1.0])
    move = smallest_move(Goal(), region, surface, current, planned)
    before, best = (evaluate(Goal(), surface, spend).value for spend in (current, planned))
    for first in np.linspace(2, 5, 3001):
        spend = np.array([first, 6 - first])
        if evaluate(Goal(), surface, spend).value >= before + KEPT * (best - before):
            break
    assert move.planned[0] == pytest.approx(first, abs=5e-3)
    assert move.moved == pytest.approx(first - 2, abs=5e-3)
    assert move.moved < 0.8 * 3


def test_another_budget_moves_nothing_by_itself():
    surface, region = logs([3.0, 1.0]), Region(np.zeros(2), np.full(2, 20.0), (), 12.0, True)
    current, planned = np.array([2.0, 4.0]), np.array([9.5, 2.5])
    move = smallest_move(Goal(), region, surface, current, planned)
    assert move.planned.sum() == pytest.approx(12)
    assert move.moved == pytest.approx(move.planned[0] - 4)  # the old mix of 12 is 4 and 8
    same = smallest_move(Goal(), region, surface, 2 * current, planned)
    assert np.allclose(same.planned, move.planned)


def test_a_pair_is_ranked_or_not_or_against_the_data():
    for place, verdict in ((5.0, RANKED), (0.0, UNRANKED), (-5.0, AGAINST)):
        marginal = np.array([RNG.normal(place, 1, 500), np.zeros(500), np.zeros(500)])
        (row,) = pairs([150, 50, 200], marginal=marginal).to_dict("records")
        assert row["verdict"] == verdict
    unknown = np.full((3, 500), np.nan)
    assert pairs([150, 50, 200], marginal=unknown)["verdict"].tolist() == [UNRANKED]


def test_it_keeps_limits_on_groups():
    surface = logs([5.0, 4.0, 1.0])
    limit = Limit("pair", np.array([1.0, 1.0, 0.0]), 6.0)
    region = Region(np.zeros(3), np.full(3, 10.0), (limit,), 10.0, True)
    current = np.array([1.0, 1.0, 8.0])
    planned = maximise(Goal(), region, surface, current, concave=True)
    move = smallest_move(Goal(), region, surface, current, planned)
    assert move.planned[:2].sum() <= 6 + 1e-6
    assert move.planned.sum() == pytest.approx(10)


def test_a_status_quo_outside_the_limits_moves_at_least_into_them():
    surface, region = logs([3.0, 1.0]), Region(np.array([4.0, 0]), np.full(2, 10.0), (), 6.0, True)
    move = smallest_move(Goal(), region, surface, np.array([1.0, 5.0]), np.array([5.0, 1.0]))
    assert move.planned[0] >= 4
    assert move.moved >= 3


def test_where_nothing_is_gained_there_is_none():
    surface, region = logs([3.0, 1.0]), Region(np.zeros(2), np.full(2, 10.0), (), 6.0, True)
    best, worse = np.array([5.0, 1.0]), np.array([2.0, 4.0])
    for current, planned in ((best, best), (best, worse), (worse, worse)):
        assert smallest_move(Goal(), region, surface, current, planned) is None


def test_a_target_at_least_cost_has_none():
    surface, region = logs([3.0, 1.0]), Region(np.zeros(2), np.full(2, 10.0), (), np.inf, False)
    goal = Goal(worth=0.0, price=1.0, least=4.0)
    assert smallest_move(goal, region, surface, np.full(2, 9.0), np.array([2.0, 1.0])) is None


@pytest.mark.parametrize("scale", [1e-3, 1e9])
def test_the_unit_of_money_does_not_matter(scale):
    surface = logs([3.0, 1.0], half=scale)
    region = Region(np.zeros(2), np.full(2, 10 * scale), (), 6 * scale, True)
    plain = smallest_move(
        Goal(),
        Region(np.zeros(2), np.full(2, 10.0), (), 6.0, True),
        logs([3.0, 1.0]),
        np.array([2.0, 4.0]),
        np.array([5.0, 1.0]),
    )
    args = (scale * np.array([2.0, 4.0]), scale * np.array([5.0, 1.0]))
    move = smallest_move(Goal(), region, surface, *args)
    assert np.allclose(move.planned / scale, plain.planned, rtol=1e-3)


def test_the_share_that_counts_as_kept_is_the_promised_one():
    assert KEPT == 0.95


def test_corners_of_a_box_are_no_closer():
    """The answer may sit on no corner, so brute force walks the whole box."""
    surface = logs([3.0, 1.0, 2.0])
    region = Region(np.zeros(3), np.full(3, 8.0), (), np.inf, False)
    goal, current = Goal(price=0.5), np.array([1.0, 4.0, 0.5])
    planned = maximise(goal, region, surface, current, concave=True)
    move = smallest_move(goal, region, surface, current, planned)
    before, best = (evaluate(goal, surface, spend).value for spend in (current, planned))
    axis = np.linspace(0, 8, 17)
    good = [
        moved(np.array(spend), current)
        for spend in itertools.product(axis, repeat=3)
        if evaluate(goal, surface, np.array(spend)).value >= before + KEPT * (best - before)
    ]
    assert moved(move.planned, current) <= min(good) + 1e-6
