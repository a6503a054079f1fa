"""Worlds to plan a budget in: known truth, spend that reacts to sales, lift tests, a best plan."""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from mendable_worlds import drifting
from scipy.optimize import LinearConstraint, linprog, minimize

from mmm_demo.planning.window import working_spend
from mmm_demo.sources.simulate import (
    CARRYOVER_WEEKS,
    CHANNELS,
    CORRELATED_PAIR,
    MEAN_SALES,
    MarketParts,
    adstock,
    assemble,
    budgeted,
    draw_parts,
    geometric_weights,
)

WEEKS, WINDOW = 156, 13
STRENGTH = (0.2, 0.7)  # log spend per standard deviation of demand; the fault has 0.7
LIFT_ERROR = 0.15  # standard error of a lift test, as a share of its true lift
HILL_SLOPE = 1.5
STEP = 1e-6  # of the budget, for the slope of the true response
EXACT = 1e-5  # share of the response by which the best plan may miss the optimum at most


@dataclass(frozen=True)
class World:
    """A market with known truth, just before a budget is to be planned.

    Attributes
    ----------
    parts
        The market; its `media` is the true response.
    reacting
        Channels whose spend follows the week's demand.
    strength
        How strongly, in log spend per standard deviation of demand.
    lift_tests
        In the columns of a lift test file.
    """

    parts: MarketParts
    reacting: tuple[str, ...]
    strength: float
    lift_tests: pd.DataFrame

    @cached_property
    def table(self) -> pd.DataFrame:
        """Weekly table that every model sees."""
        return assemble(self.parts).table

    @property
    def recent(self) -> np.ndarray:
        """Spend of the last weeks, as many as are planned; shape (channel,)."""
        return self.parts.spend.tail(WINDOW).sum().to_numpy()

    @property
    def bounds(self) -> np.ndarray:
        """Return the planner's default bounds, by the true adstock; shape (channel, 2).

        They keep working spend where the data have seen it, and allow the last period's total.
        """
        working = WINDOW * working_spend(
            self.parts.spend.to_numpy(), geometric_weights(self.parts.alpha)
        )
        low, high = working.min(axis=0), working.max(axis=0)
        return np.column_stack([np.minimum(low, self.recent), np.maximum(high, self.recent)])

    def realised(self, totals: np.ndarray) -> np.ndarray:
        """Return what totals by channel, spread evenly, really bring; shape (channel,)."""
        return self._brought(np.tile(totals / WINDOW, (WINDOW, 1)))

    @property
    def replayed(self) -> float:
        """What the last weeks' spend, week by week as it was, would really bring again."""
        return float(self._brought(self.parts.spend.tail(WINDOW).to_numpy()).sum())

    def _brought(self, weekly: np.ndarray) -> np.ndarray:
        return self._earned(weekly) - self._earned(0 * weekly)

    def _earned(self, weekly: np.ndarray) -> np.ndarray:
        spend = np.vstack([self.parts.spend.tail(CARRYOVER_WEEKS), weekly])
        return self.parts.media(pd.DataFrame(spend, columns=list(CHANNELS))).sum(axis=0)


@dataclass(frozen=True)
class HillParts(MarketParts):
    """A market whose channels saturate by Hill curves of slope 1.5, which no model here has."""

    def response(self, spend: pd.DataFrame) -> np.ndarray:
        """Pass spend through a geometric adstock and a Hill curve, from 0 towards 1."""
        weights = geometric_weights(self.alpha)
        known = adstock(self.spend / self.spend.max(), weights)[: len(self.dates)]
        carried = adstock(spend / self.spend.max(), weights)
        return carried**HILL_SLOPE / (carried**HILL_SLOPE + known.mean(axis=0) ** HILL_SLOPE)


def odd_world(seed: int, form: str) -> World:
    """Draw a world with a true form that no model here has: `hill`, or `drift` of demand."""
    clean = draw_parts(seed, WEEKS)
    if form == "drift":
        rng = np.random.default_rng([seed, 2])
        path = drifting(WEEKS, rng) * rng.uniform(0.06, 0.10) * MEAN_SALES
        return _world(replace(clean, others=clean.others + path), seed)
    return _world(HillParts(**vars(clean)), seed)


def draw_world(seed: int) -> World:
    """Draw a world: the clean market of the seed, but with spend that reacts to demand."""
    return _world(draw_parts(seed, WEEKS), seed)


def _world(clean: MarketParts, seed: int) -> World:
    rng = np.random.default_rng([seed, 1])
    reacting = tuple(map(str, rng.permutation(CORRELATED_PAIR)[: rng.integers(1, 3)]))
    strength = float(rng.uniform(*STRENGTH))
    demand = clean.others + clean.noise  # all that sells without media
    demand = (demand - demand.mean()) / demand.std()
    levels = clean.spend[list(reacting)].mul(np.exp(strength * demand), axis=0)
    parts = replace(clean, spend=clean.spend.assign(**budgeted(levels)))
    return World(parts, reacting, strength, _lift_tests(parts, rng))


def _lift_tests(parts: MarketParts, rng: np.random.Generator) -> pd.DataFrame:
    """Return noisy tests of steady spend: each channel switched off, and raised."""

    def weekly(channel: str, level: float) -> float:
        steady = parts.spend.head(CARRYOVER_WEEKS) * 0.0
        steady[channel] = level
        return float(parts.media(steady)[CARRYOVER_WEEKS - 1].sum())

    rows = []
    for channel in CORRELATED_PAIR:
        low, middle, high = parts.spend[channel].quantile([0.25, 0.5, 0.9]).round(2)
        for before, after in ((middle, 0.0), (low, high)):
            lift = weekly(channel, after) - weekly(channel, before)
            error = LIFT_ERROR * abs(lift)
            measured = lift + rng.normal(0.0, error)
            rows.append((channel, before, after - before, measured, error, parts.dates[-WINDOW]))
    return pd.DataFrame(rows, columns=["channel", "x", "delta_x", "delta_y", "sigma", "date"])


def best_plan(world: World, bounds: np.ndarray) -> np.ndarray:
    """Return the totals, shape (channel,), that no other split of the budget within bounds beats.

    The true response is concave, so no plan brings more than the best one on its tangent does.
    """
    budget = world.recent.sum()
    limits, spent = bounds / budget, np.ones((1, len(CHANNELS)))

    def loss(share: np.ndarray) -> float:
        return -float(world.realised(share * budget).sum()) / budget

    def slope(share: np.ndarray) -> np.ndarray:  # a channel's response is its own spend's alone
        more = world.realised((share + STEP) * budget) - world.realised(share * budget)
        return -more / (STEP * budget)

    solved = minimize(
        loss,
        world.recent / budget,
        jac=slope,
        method="SLSQP",
        bounds=limits,
        constraints=LinearConstraint(spent, 1.0, 1.0),
        options={"ftol": 1e-12, "maxiter": 500},
    )
    share = solved.x.clip(*limits.T)
    tangent = slope(share)
    missed = tangent @ share - linprog(tangent, A_eq=spent, b_eq=[1.0], bounds=limits).fun
    if not missed <= EXACT * -loss(share):
        raise RuntimeError(f"the best plan may be missed by {missed:g} per unit: {solved.message}")
    return share * budget
