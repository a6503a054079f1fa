"""The best spend of a region, with a certificate of how much better another could be."""

import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize

from mmm_demo.planning.feasible import Region
from mmm_demo.planning.surface import Brought, ByTotals, ByWeek, Corrected
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.scenario import Scenario
from mmm_demo.settings.wording import MEDIA_SALES, amount, roas

GAP_MAX = 1e-3  # share of the objective that another plan could bring more at most
GOOD = 1e-4  # a certificate that ends the search
STARTS = 12  # of the search where the response is not concave
NEED_SLACK = 1e-4  # share of a target that a plan may fall short of it
SMOOTH = 0.02  # width of the edge of the tail, in standard deviations of the response


class OutOfReach(BudgetError):
    """A target that no allowed spend reaches."""


type Surface = ByTotals | ByWeek | Corrected


@dataclass(frozen=True)
class Goal:
    """What is made as large as possible: `worth * response - price * spend`.

    Attributes
    ----------
    worth, price
        Of a unit of response and of money.
    tail
        Share of the draws, the worst ones, whose mean is the response; 1 for the expected response.
    least, least_roas
        The expected response must reach `least + least_roas * spend`; None for no such need.
    """

    worth: float = 1.0
    price: float = 0.0
    tail: float = 1.0
    least: float | None = None
    least_roas: float = 0.0


def goal_of(scenario: Scenario) -> Goal:
    """Return what a scenario makes as large as possible."""
    target = scenario.target or 0.0
    return {
        "response": Goal(),
        "profit": Goal(worth=scenario.margin or 0.0, price=1.0),
        "cvar": Goal(tail=scenario.worst_share),
        "target_response": Goal(worth=0.0, price=1.0, least=target),
        "target_roas": Goal(least=0.0, least_roas=target),
        "target_mroas": Goal(price=target),
    }[scenario.objective]


def tail_mean(draws: np.ndarray, tail: float) -> tuple[float, np.ndarray]:
    """Return the mean of the worst draws and the weight of each draw in it.

    The edge of the tail is smoothed over a small part of the draws' spread (Rockafellar and
    Uryasev's form with a softplus), so that the solver sees a slope everywhere. The weights are the
    exact slope of that value; the spread is part of it, so those of the best draws may be a little
    below zero.
    """
    if tail >= 1:
        return float(draws.mean()), np.full(len(draws), 1 / len(draws))
    edge = max(SMOOTH * float(draws.std()), 1e-12 * float(np.abs(draws).max()), 1e-300)
    low, high = draws.min() - 40 * edge, draws.max() + 40 * edge
    for _ in range(60):  # bisection: the share below a level grows with the level
        level = (low + high) / 2
        inside = _sigmoid((level - draws) / edge)
        low, high = (level, high) if inside.mean() < tail else (low, level)
    distance = (level - draws) / edge
    short = np.logaddexp(0.0, distance)
    by_edge = -(short - distance * inside).mean() / tail
    deviation = draws - draws.mean()
    edge_slope = SMOOTH * deviation / (len(draws) * max(float(draws.std()), 1e-300))
    return float(level - edge * short.mean() / tail), inside / inside.sum() + by_edge * edge_slope


def _sigmoid(x: np.ndarray) -> np.ndarray:
    return 0.5 * (1 + np.tanh(x / 2))


@dataclass(frozen=True, eq=False)
class Point:
    """Goal and need at one spend, with their slopes, shape (item,)."""

    spend: np.ndarray
    brought: Brought
    value: float
    slope: np.ndarray
    at_stake: float
    need: float
    need_size: float
    need_slope: np.ndarray


def evaluate(goal: Goal, surface: Surface, spend: np.ndarray) -> Point:
    """Evaluate goal and need at a spend."""
    brought = surface.at(spend)
    total, money = brought.total, float(spend.sum())
    mean, even = tail_mean(total, 1.0)
    expected = surface.gradient(brought, even)
    worst, slope = mean, expected
    if goal.tail < 1:
        worst, weights = tail_mean(total, goal.tail)
        slope = surface.gradient(brought, weights)
    size = max(abs(goal.least or 0.0), goal.least_roas * money, abs(mean), 1e-300)
    return Point(
        spend=spend,
        brought=brought,
        value=goal.worth * worst - goal.price * money,
        slope=goal.worth * slope - goal.price,
        at_stake=goal.worth * abs(worst) + goal.price * money,
        need=np.inf if goal.least is None else mean - goal.least - goal.least_roas * money,
        need_size=size,
        need_slope=expected - goal.least_roas,
    )


def corrected(goal: Goal, thin: ByTotals | ByWeek, full: ByTotals | ByWeek, at: Point) -> Corrected:
    """Return the surface over few draws, made right at a point that all draws have judged."""
    few, every = thin.at(at.spend), at.brought
    (low, some), (high, all_) = (tail_mean(one.total, goal.tail) for one in (few, every))
    tilt = full.gradient(every, all_) - thin.gradient(few, some)
    return Corrected(thin, at.spend, high - low, tilt)


def certificate(goal: Goal, region: Region, point: Point) -> float:
    """Return by how much another spend could be better, as a share of what is at stake.

    Infinite where the spend misses its need.

    Goal and need are concave, so both lie below their tangents: no allowed spend beats the best one
    under the tangents, which a linear program finds. It is zero exactly where the KKT conditions
    hold: equal marginal returns wherever money may still be moved. Where the response is not
    concave, it says that much about spends nearby and nothing about others. The mean of the worst
    draws is smoothed, so for it the bound holds up to that smoothing.
    """
    floor = None
    if point.need < -NEED_SLACK * point.need_size:
        return np.inf
    if np.isfinite(point.need):
        floor = (point.need_slope, float(point.need_slope @ point.spend - max(point.need, 0.0)))
    best = region.furthest(point.slope, floor)
    better = float(point.slope @ (best - point.spend))
    return max(better, 0.0) / point.at_stake if point.at_stake > 0 else float(better > 0)


def maximise(
    goal: Goal, region: Region, surface: Surface, start: np.ndarray, *, concave: bool
) -> np.ndarray:
    """Return the best spend of a region, shape (item,).

    Parameters
    ----------
    goal, region, surface
        What is made largest, where, and what spend brings.
    start
        Spend to begin at, shape (item,); need not be allowed.
    concave
        Whether one search finds the best; else several start all over the region.

    Raises
    ------
    BudgetError
        When the need cannot be met, or no search ends at a spend that is certified.
    """
    _require_reachable(goal, region, surface, concave)
    if not (region.high > region.low).any():
        return region.low  # nothing to decide
    found: list[tuple[bool, float, np.ndarray]] = []
    for number, begin in enumerate(_starts(region, start, concave), 1):
        point = _search(goal, region, surface, begin)
        gap = certificate(goal, region, point) if region.keeps(point.spend) else np.inf
        found.append((gap <= GAP_MAX, point.value, point.spend))
        if (gap <= GOOD) if concave else (number >= STARTS and any(good for good, *_ in found)):
            break
    certified, _, spend = max(found, key=lambda item: item[:2])
    if not certified:
        raise BudgetError(
            f"no search out of {len(found)} ended at a plan that is certified as the best; widen "
            "the bounds or change the budget"
        )
    return spend


def _starts(region: Region, start: np.ndarray, concave: bool) -> Iterator[np.ndarray]:
    """Yield where searches begin: at the start, then in corners and between them."""
    yield np.clip(start, region.low, region.high)
    rng = np.random.default_rng(0)
    for number in range(4 if concave else 2 * STARTS):
        corners = [region.furthest(rng.normal(size=len(start))) for _ in range(1 + number % 3)]
        yield np.mean(corners, axis=0)


def _require_reachable(goal: Goal, region: Region, surface: Surface, concave: bool) -> None:
    """Refuse a target that no allowed spend reaches, with the closest that one comes."""
    if goal.least is None:
        return
    surplus, top = Goal(price=goal.least_roas), region.furthest(np.ones(len(region.low)))
    begins = [top] if concave else [top, *_starts(region, top, concave)]
    ends = (_search(surplus, region, surface, begin) for begin in begins)
    most = max(ends, key=lambda end: end.value)
    if most.value >= goal.least and most.value > 0:
        return
    spend, brought = most.spend.sum(), float(most.brought.total.mean())
    closest = (
        f"the allowed spend that comes closest is {amount(spend)}, expected to bring "
        f"{amount(brought)} {MEDIA_SALES}"
    )
    if concave and not spend > region.unit * 1e-6:
        first = float(evaluate(Goal(), surface, region.low).slope.max())
        closest = f"even the first unit of money is expected to bring {roas(first)} at most"
    elif goal.least_roas and spend > 0:
        closest += f", a ROAS of {roas(brought / spend)}"
    target = roas(goal.least_roas) if goal.least_roas else amount(goal.least)
    raise OutOfReach(
        f"target {target} is out of reach: {closest}; widen the bounds, raise the budget or lower "
        "the target"
    )


def _search(goal: Goal, region: Region, surface: Surface, begin: np.ndarray) -> Point:
    """Run SLSQP from one start; return where it ends."""
    unit, first = region.unit, evaluate(goal, surface, begin)
    size = first.at_stake or region.unit
    need_size = max(first.need_size, goal.least_roas * region.unit)
    seen: dict[bytes, Point] = {}

    def point(x: np.ndarray) -> Point:
        key = x.tobytes()
        if key not in seen:
            seen.clear()  # the last one only: SLSQP asks for goal, need and slopes at one place
            seen[key] = evaluate(goal, surface, x * unit)
        return seen[key]

    constraints = _linear_limits(region)
    if goal.least is not None:
        constraints.append(
            {
                "type": "ineq",
                "fun": lambda x: point(x).need / need_size,
                "jac": lambda x: point(x).need_slope * unit / need_size,
            }
        )
    with warnings.catch_warnings():
        # SLSQP tries steps a little outside the bounds and clips them, with a warning.
        warnings.filterwarnings("ignore", "Values in x were outside bounds", RuntimeWarning)
        done = minimize(
            lambda x: (-point(x).value / size, -point(x).slope * unit / size),
            begin / unit,
            jac=True,
            method="SLSQP",
            bounds=np.column_stack([region.low, region.high]) / unit,
            constraints=constraints,
            options={"ftol": 1e-10, "maxiter": 300},
        )
    return evaluate(goal, surface, _exactly(region, done.x * unit))


def _exactly(region: Region, spend: np.ndarray) -> np.ndarray:
    """Return the spend without the solver's rounding: inside the bounds, and to the budget."""
    spend = np.where(spend < 1e-7 * region.unit, region.low, spend)
    spend = np.clip(spend, region.low, region.high)
    if not region.exact or not spend.sum() > 0:
        return spend
    return np.clip(spend * (region.budget / spend.sum()), region.low, region.high)


def _linear_limits(region: Region) -> list[dict]:
    """Return limits and budget as SLSQP takes them, in the region's unit of money."""
    (matrix, most), everything = region.rows, np.ones((1, len(region.low)))
    constraints = [_linear(-matrix, most / region.unit)] if len(matrix) else []
    if np.isfinite(region.budget):
        kind, budget = "eq" if region.exact else "ineq", np.array([region.budget / region.unit])
        constraints.append(_linear(-everything, budget, kind))
    return constraints


def _linear(matrix: np.ndarray, constant: np.ndarray, kind: str = "ineq") -> dict:
    return {"type": kind, "fun": lambda x: matrix @ x + constant, "jac": lambda x: matrix}
