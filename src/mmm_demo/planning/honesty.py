"""What a plan rests on: whether the data rank its channels, and how little would do."""

from itertools import product

import numpy as np
import pandas as pd
from scipy.optimize import linprog

from mmm_demo.planning.feasible import OPTIMAL, Region, mix_at
from mmm_demo.planning.plan import AGAINST, RANKED, UNRANKED, Move
from mmm_demo.planning.solver import Goal, Point, Surface, evaluate

MOVED = 0.01  # share of the budget below which a channel's part counts as unchanged
KEPT = 0.95  # share of the expected gain that the smallest move keeps
CUTS, BISECTIONS = 40, 10
NEARLY = 0.001  # share by which the answer may move more than the smallest move does
PAIRS = ["taker", "giver", "difference", "lower_94", "upper_94", "probability", "verdict"]


def rank_pairs(
    marginal: np.ndarray, current: np.ndarray, planned: np.ndarray, channels: tuple[str, ...]
) -> pd.DataFrame:
    """Say of each pair of channels between which money moves whether the data rank them.

    Parameters
    ----------
    marginal
        Sales that the next unit of money brings at the status quo, shape (channel, sample).
    current, planned
        Money by channel, shape (channel,). What moves is judged at the plan's budget: a plan that
        only grows every channel alike moves nothing.

    Returns
    -------
    pandas.DataFrame
        Columns taker, giver, difference (mean), lower_94, upper_94, probability (that the taker's
        is larger), verdict.
    """
    budget = planned.sum()
    shift = planned - mix_at(current, budget)
    takers, givers = (np.flatnonzero(side > MOVED * budget) for side in (shift, -shift))
    rows = []
    for taker, giver in product(takers, givers):
        difference = marginal[taker] - marginal[giver]
        lower, upper = np.quantile(difference, [0.03, 0.97])
        names, sure = (channels[taker], channels[giver]), float((difference > 0).mean())
        told = (float(difference.mean()), float(lower), float(upper), sure)
        rows.append((*names, *told, _verdict(lower, upper)))
    return pd.DataFrame(rows, columns=PAIRS)


def _verdict(lower: float, upper: float) -> str:
    if lower > 0:
        return RANKED
    return AGAINST if upper < 0 else UNRANKED


def smallest_move(
    goal: Goal, region: Region, surface: Surface, current: np.ndarray, planned: np.ndarray
) -> Move | None:
    """Return the allowed spend closest to the old mix that keeps most of what reallocation gains.

    The old mix is the last period's at the plan's budget.
    Closest in the sum of absolute changes. The goal is concave, so each tangent is a limit that no
    good spend breaks, and a linear program over tangents gives a lower bound of the move. Tangents
    at the edge of what is good enough (Veinott's supporting hyperplanes) close in on the answer.

    Parameters
    ----------
    goal, region, surface
        What the plan made largest, where; of channel totals.
    current, planned
        Money by channel of status quo and plan, shape (channel,).

    Returns
    -------
    Move or None
        None where the plan gains nothing, or where no answer was found.
    """
    current = mix_at(current, planned.sum())
    before, best = evaluate(goal, surface, current), evaluate(goal, surface, planned)
    gain = best.value - before.value
    if goal.least is not None or not gain > 0:
        return None
    enough = before.value + KEPT * gain
    cuts = [_tangent(before), _tangent(best)]
    for _ in range(CUTS):
        closest = _closest(region, current, cuts, enough)
        if closest is None:
            return None
        found = evaluate(goal, surface, closest)
        edge = _edge(goal, surface, found, best, enough)
        if _moved(edge.spend, current) <= (1 + NEARLY) * _moved(closest, current):
            kept = (edge.value - before.value) / gain
            return Move(edge.spend, _money_moved(edge.spend - current), kept)
        cuts.append(_tangent(edge))
    return None


def _moved(spend: np.ndarray, current: np.ndarray) -> float:
    return float(np.abs(spend - current).sum())


def _money_moved(change: np.ndarray) -> float:
    return float(max(np.maximum(change, 0).sum(), np.maximum(-change, 0).sum()))


def _edge(goal: Goal, surface: Surface, short: Point, best: Point, enough: float) -> Point:
    """Return the point that just gains enough, between a spend that does not and the plan."""
    if short.value >= enough:
        return short
    low, high, edge = 0.0, 1.0, best
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        point = evaluate(goal, surface, short.spend + middle * (best.spend - short.spend))
        if point.value >= enough:
            high, edge = middle, point
        else:
            low = middle
    return edge


def _tangent(point: Point) -> tuple[np.ndarray, float]:
    return point.slope, float(point.value - point.slope @ point.spend)


def _closest(
    region: Region, current: np.ndarray, cuts: list[tuple[np.ndarray, float]], enough: float
) -> np.ndarray | None:
    """Return the spend closest to `current` in the region and above `enough` on every tangent."""
    matrix, most = region.rows
    everything, unit = np.ones((1, len(current))), region.unit
    if np.isfinite(region.budget) and not region.exact:
        matrix, most = np.vstack([matrix, everything]), np.append(most, region.budget)
    matrix = np.vstack([matrix, np.eye(len(current)), -np.eye(len(current))])
    most = np.concatenate([most, region.high, -region.low])
    most = most - matrix @ current
    slopes = np.array([slope for slope, _ in cuts])
    least = np.array([enough - constant - slope @ current for slope, constant in cuts])
    size = np.abs(slopes).max(axis=1, keepdims=True, initial=1e-300)
    matrix = np.vstack([matrix, -slopes / size])
    most = np.concatenate([most, -least / size[:, 0]]) / unit
    finite = np.isfinite(most)
    left = region.budget - current.sum()
    done = linprog(  # of more and less money by channel, both from zero on
        np.ones(2 * len(current)),
        A_ub=np.hstack([matrix, -matrix])[finite],
        b_ub=most[finite],
        A_eq=np.hstack([everything, -everything]) if region.exact else None,
        b_eq=[left / unit] if region.exact else None,
    )
    if done.status != OPTIMAL:
        return None
    more, less = np.split(done.x * unit, 2)
    return np.clip(current + more - less, region.low, region.high)
