"""Which plans a scenario allows: limits on channel totals, and what clashes among them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import linprog

from mmm_demo.planning.doubts import doubts_of_limits
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import EVERY, SEEN, Scenario
from mmm_demo.settings.wording import amount

OPTIMAL = 0  # status of scipy's linprog
AS_SEEN = "a default, which keeps its spend where the data have seen it"


@dataclass(frozen=True, eq=False)
class Limit:
    """One limit in words and numbers: `weights @ totals <= most`, with weights of shape (item,).

    A `default` is one that nobody asked for; it says what it is for.
    """

    text: str
    weights: np.ndarray
    most: float
    default: str = ""

    def __str__(self) -> str:
        """Say the limit, and of a default that it is one."""
        return f"{self.text} ({self.default})" if self.default else self.text


@dataclass(frozen=True, eq=False)
class Region:
    """All spends that a scenario allows; shape (item,): channel totals, or weeks x channels.

    Attributes
    ----------
    low, high
        Bounds of each item.
    limits
        Limits on sums of items.
    budget, exact
        Money for all items together, infinite for none, and whether all of it must be spent.
    money
        That can be spent; None for as much as budget and bounds allow.
    """

    low: np.ndarray
    high: np.ndarray
    limits: tuple[Limit, ...]
    budget: float
    exact: bool
    money: float | None = None

    @property
    def rows(self) -> tuple[np.ndarray, np.ndarray]:
        """Matrix and right side of `matrix @ spend <= most`, the budget left out."""
        matrix = np.array([limit.weights for limit in self.limits]).reshape(-1, len(self.low))
        return matrix, np.array([limit.most for limit in self.limits])

    @property
    def unit(self) -> float:
        """Amount of money that makes the numbers of a solver about 1."""
        money = min(self.budget, self.high.sum()) if self.money is None else self.money
        return float(money / len(self.low)) or 1.0

    def keeps(self, spend: np.ndarray) -> bool:
        """Whether a spend keeps every limit, up to rounding."""
        slack = 1e-6 * self.unit * len(spend)
        matrix, most = self.rows
        over = spend.sum() - self.budget
        inside = (spend >= self.low - slack).all() and (spend <= self.high + slack).all()
        inside = inside and (matrix @ spend <= most + slack).all()
        return bool(inside and (abs(over) if self.exact else over) <= slack)

    def furthest(
        self, direction: np.ndarray, floor: tuple[np.ndarray, float] | None = None
    ) -> np.ndarray:
        """Return the spend that goes furthest in a direction.

        Parameters
        ----------
        direction
            Shape (item,).
        floor
            One more limit, `weights @ spend >= least`.

        Raises
        ------
        BudgetError
            When there is no such spend.
        """
        matrix, most = self.rows
        if floor is not None:
            matrix, most = np.vstack([matrix, -floor[0]]), np.append(most, -floor[1])
        everything = np.ones((1, len(self.low)))
        if not self.exact and np.isfinite(self.budget):
            matrix, most = np.vstack([matrix, everything]), np.append(most, self.budget)
        size = np.abs(matrix).max(axis=1, keepdims=True, initial=1e-300)
        done = linprog(
            -direction / (np.abs(direction).max() or 1.0),
            A_ub=matrix / size if len(matrix) else None,
            b_ub=most / size[:, 0] / self.unit if len(matrix) else None,
            A_eq=everything if self.exact else None,
            b_eq=[self.budget / self.unit] if self.exact else None,
            bounds=np.column_stack([self.low, self.high]) / self.unit,
        )
        if done.status != OPTIMAL:
            raise BudgetError(f"no spend keeps all limits: {done.message}")
        return done.x * self.unit

    def by_week(self, weekly: np.ndarray, smoothness: float | None) -> "Region":
        """Return the same limits on the spend of each week, spread as one likes.

        Parameters
        ----------
        weekly
            Money of channels that leave no choice, which keep it week by week, shape (week,
            channel); of the others nothing is taken.
        smoothness
            Most that a week may differ from the week before, as a share of the mean week.
        """
        weeks, free = len(weekly), self.high > self.low
        channels = len(self.low)
        totals = np.tile(np.eye(channels), weeks)  # (channel, week x channel)
        ends = zip(totals[free], self.low[free], self.high[free], strict=True)
        box = [item for row, low, high in ends for item in _box("", row, low, high)]
        limits = [replace(limit, weights=limit.weights @ totals) for limit in self.limits]
        limits += [limit for limit in box if np.isfinite(limit.most)]
        if smoothness is not None:
            limits += _smooth(totals, weeks, smoothness, np.flatnonzero(free))
        low, high = (np.where(free, end, weekly).ravel() for end in (0.0, np.inf))
        money = self.unit * channels
        return Region(low, high, tuple(limits), self.budget, self.exact, money)

    @property
    def all_limits(self) -> list[Limit]:
        """Every limit as one that can be named, budget and bounds included."""
        everything = np.ones(len(self.low))
        limits = list(self.limits)
        if np.isfinite(self.budget):
            limits.append(
                Limit(f"a budget of at most {amount(self.budget)}", everything, self.budget)
            )
        if self.exact:
            limits.append(
                Limit(f"a budget of at least {amount(self.budget)}", -everything, -self.budget)
            )
        return limits


def _box(
    name: str, row: np.ndarray, low: float, high: float, default: str = ""
) -> tuple[Limit, Limit]:
    return (
        Limit(f"{name} at least {amount(low)}", -row, -low, default),
        Limit(f"{name} at most {amount(high)}", row, high, default),
    )


def _smooth(totals: np.ndarray, weeks: int, smoothness: float, free: Sequence[int]) -> list[Limit]:
    channels, size = totals.shape
    limits = []
    for week in range(1, weeks):
        for channel in free:
            step = np.zeros(size)
            step[week * channels + channel] = 1.0
            step[(week - 1) * channels + channel] = -1.0
            allowed = smoothness / weeks * totals[channel]
            limits += [Limit("up", step - allowed, 0.0), Limit("down", -step - allowed, 0.0)]
    return limits


def region_of(scenario: Scenario, window: Window) -> Region:
    """Return what a scenario allows in a window.

    Raises
    ------
    BudgetError
        When it names unknown channels, there is no budget, or limits clash; names those that do.
    """
    channels = window.channels
    if unknown := sorted(scenario.channels - set(channels)):
        raise BudgetError(
            f"scenario {scenario.name} names {', '.join(unknown)}; channels: {', '.join(channels)}"
        )
    low, high = _bounds(scenario, window)
    limits, budget = tuple(_group_limits(scenario, channels)), _budget(scenario, window)
    region = Region(low, high, limits, budget, scenario.spends_all)
    _require_feasible(scenario, region, window)
    return region


def _bounds(scenario: Scenario, window: Window) -> tuple[np.ndarray, np.ndarray]:
    low, high = default_bounds(scenario, window)
    current = window.current
    if EVERY in scenario.relative_bounds:
        low, high = (np.array(side) * current for side in scenario.relative_bounds[EVERY])
    for place, name in enumerate(window.channels):
        if name in scenario.bounds:
            low[place], high[place] = scenario.bounds[name]
        elif name in scenario.relative_bounds:
            low[place], high[place] = np.array(scenario.relative_bounds[name]) * current[place]
        elif name in scenario.fixed:
            low[place] = high[place] = current[place]
    return low, high


def default_bounds(scenario: Scenario, window: Window) -> tuple[np.ndarray, np.ndarray]:
    """Return the bounds of channels that have none of their own, each of shape (channel,)."""
    low, high = window.seen
    current, most = window.current, scenario.most_change(window.tested)
    if most == SEEN or not current.sum() > 0:
        return low, high
    budget = _budget(scenario, window)
    # A budget that need not be spent allows more than before, and does not ask for it.
    less = budget < current.sum()
    centre = mix_at(current, budget) if scenario.spends_all or less else current
    return (
        np.clip((1 - most) * centre, low, high),
        np.clip((1 + most) * centre, low, high),
    )


def mix_at(current: np.ndarray, budget: float) -> np.ndarray:
    """Return the last period's mix at another budget, shape (channel,)."""
    return current * (budget / current.sum()) if current.sum() > 0 else np.zeros_like(current)


def _budget(scenario: Scenario, window: Window) -> float:
    current = float(window.current.sum())
    if scenario.total_budget is not None:
        return scenario.total_budget
    if scenario.relative_budget is None and not scenario.spends_all:
        return np.inf
    budget = current * (scenario.relative_budget or 1.0)
    if not budget > 0:
        raise BudgetError(
            f"scenario {scenario.name}: nothing was spent in the last {window.weeks} weeks, so the "
            "budget has no default; give total_budget"
        )
    return budget


def _group_limits(scenario: Scenario, channels: Sequence[str]) -> list[Limit]:
    limits = []
    for name, group in scenario.groups.items():
        weights = np.array([float(channel in group.channels) for channel in channels])
        if group.at_least > 0:
            text = f"group {name} at least {amount(group.at_least)}"
            limits.append(Limit(text, -weights, -group.at_least))
        if group.at_most is not None:
            text = f"group {name} at most {amount(group.at_most)}"
            limits.append(Limit(text, weights, group.at_most))
    return limits


def _require_feasible(scenario: Scenario, region: Region, window: Window) -> None:
    """Refuse limits that no plan can keep, naming a smallest set of them that clashes.

    Defaults are left out of it where what was asked for clashes by itself, and come last.
    """
    channels, limits = window.channels, region.all_limits
    if scenario.total_budget is None and scenario.relative_budget is None:
        as_before = f"a default: what the last {window.weeks} weeks spent"
        limits = [
            replace(limit, default=as_before) if limit.text.startswith("a budget") else limit
            for limit in limits
        ]
    named = {*scenario.bounds, *scenario.relative_bounds, *scenario.fixed}
    most = scenario.most_change(window.tested)
    default = AS_SEEN
    if most != SEEN:
        default = f"a default: at most {most:.0%} from the last period, as the data have seen it"
    for row, name, low, high in zip(
        np.eye(len(channels)), channels, region.low, region.high, strict=True
    ):
        asked = EVERY in named or name in named
        limits += _box(name, row, low, high, "" if asked else default)
    if _possible(limits, region.unit):
        return
    limits.sort(key=lambda limit: not limit.default)  # first tried, first left out
    clash = list(limits)
    for limit in limits:
        rest = [other for other in clash if other is not limit]
        if not _possible(rest, region.unit):
            clash = rest
    told = "; ".join(map(str, sorted(clash, key=lambda limit: bool(limit.default))))
    hints = "".join(f". Note that {hint}" for hint in doubts_of_limits(scenario, window))
    raise BudgetError(
        f"scenario {scenario.name} allows no plan, because these limits clash: {told}. "
        f"{_next_step(clash, default, _wider_helps(scenario, window))}{hints}"
    )


def _wider_helps(scenario: Scenario, window: Window) -> bool:
    """Whether there would be a plan if channels might go as far as the data have seen."""
    if scenario.most_change(window.tested) == SEEN:
        return False
    try:
        region_of(replace(scenario, default_bounds=SEEN), window)
    except BudgetError:
        return False
    return True


def _next_step(clash: Sequence[Limit], default: str, wider_helps: bool) -> str:
    """Say what to change: a default needs a setting of its own to be another one."""
    defaults = {limit.default for limit in clash if limit.default}
    if not defaults:
        return "Change one of them"
    give = ["bounds to the channels that have a default"] if default in defaults else []
    give += ["default_bounds: seen"] if wider_helps else []
    give += ["total_budget"] if defaults - {default} else []
    nobodys = all(limit.default for limit in clash)
    return f"{'Give' if nobodys else 'Change one of your own, or give'} {' or '.join(give)}"


def _possible(limits: Sequence[Limit], unit: float) -> bool:
    if not limits:
        return True
    matrix = np.array([limit.weights for limit in limits])
    most = np.array([limit.most for limit in limits]) / unit
    done = linprog(np.zeros(matrix.shape[1]), A_ub=matrix, b_ub=most, bounds=(0, None))
    return done.status == OPTIMAL
