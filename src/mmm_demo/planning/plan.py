"""A plan: the money by week and channel, what it is expected to bring, and how sure that is."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.planning.doubts import doubts
from mmm_demo.planning.feasible import Region
from mmm_demo.planning.window import BudgetError, Window
from mmm_demo.settings.scenario import Engine, Scenario

TOLERANCE = 1e-6
RANKED, UNRANKED, AGAINST = "ranked", "cannot be ranked", "against the data"
SHORTFALL_TAIL = 0.05
INTERVALS = {"lower_94": 0.03, "lower_50": 0.25, "upper_50": 0.75, "upper_94": 0.97}


@dataclass(frozen=True, eq=False)
class Move:
    """The smallest move from the status quo that keeps most of the expected gain.

    Attributes
    ----------
    planned
        Money by channel, shape (channel,).
    moved
        Money that changes its place, counted once.
    kept
        Share of the expected gain.
    """

    planned: np.ndarray
    moved: float
    kept: float


@dataclass(frozen=True, eq=False)
class Plan:
    """A scenario's best spend for one window.

    Attributes
    ----------
    scenario, window, region
        What was asked, when, and what that allows.
    table
        One row per channel. Money in the window: current (last period), planned, lower_bound,
        upper_bound, observed_low, observed_high; change (share of current; NaN where that was
        nothing and the plan is not); units (planned, in the
        weekly table's own); at_bound (`lower`, `upper`, `fixed` or empty); outside_observed (the
        plan takes working spend where the data have not seen it). Expected sales: carry_in (of
        earlier spend, whatever is planned), inside and after (of the plan, in the window and by
        carryover); roas; mroas with lower_94 and upper_94 (of the next unit of money).
    weekly
        Money, index week, a column per channel.
    response, status_quo
        Sales that the plan and a replay of the last period bring, net of what earlier spend still
        earns, carryover after the window included; shape (sample,).
    value
        Of what the scenario makes as large as possible.
    timing
        Expected sales that last period's totals would win by the plan's spread over the weeks.
    pairs
        Columns taker, giver, difference, lower_94, upper_94, probability, verdict: for each pair of
        channels between which the plan moves money, by how much more the next unit brings with the
        taker, and whether the data rank the two.
    smallest
        The smallest move; None where the plan gains nothing or none could be computed.
    gap
        Most by which another allowed plan could be better, as a share (`solver.certificate`).
    thinning
        Expected response over the draws that were solved for, relative to all draws, minus 1.
    certified
        Whether `gap` holds against every allowed plan, not only against those nearby.
    engine
        Who looked for the spend: `own` or `library`.
    complaint
        What the library said where it called its own search failed; empty else.
    """

    scenario: Scenario
    window: Window
    region: Region
    table: pd.DataFrame
    weekly: pd.DataFrame
    response: np.ndarray
    status_quo: np.ndarray
    value: float
    timing: float
    pairs: pd.DataFrame
    smallest: Move | None
    gap: float
    thinning: float
    certified: bool
    engine: Engine = "own"
    complaint: str = ""

    def __post_init__(self) -> None:
        """Check the plan's own law: it keeps every limit, adds up, and all of it is measured."""
        planned, weekly = self.table["planned"].to_numpy(), self.weekly.to_numpy()
        if not self.region.keeps(planned):
            limits = "; ".join(limit.text for limit in self.region.all_limits)
            raise BudgetError(f"plan breaks its limits ({limits}):\n{self.table.to_string()}")
        slack = TOLERANCE * self.region.unit * len(planned)
        if not ((weekly >= 0).all() and (np.abs(weekly.sum(axis=0) - planned) <= slack).all()):
            raise BudgetError(f"the weeks of the plan do not add up:\n{self.weekly.to_string()}")
        draws = np.concatenate([self.response, self.status_quo])
        if not (np.isfinite(draws).all() and np.isfinite([self.value, self.gap]).all()):
            raise BudgetError("what the plan brings is not finite")

    @property
    def start(self) -> pd.Timestamp:
        """First week of the window."""
        return self.window.start

    @property
    def end(self) -> pd.Timestamp:
        """First day of the last week."""
        return self.window.end

    @property
    def weeks(self) -> int:
        """Length of the window in weeks."""
        return self.window.weeks

    @property
    def total_budget(self) -> float:
        """Money for the whole window."""
        return float(self.table["planned"].sum())

    @property
    def current_budget(self) -> float:
        """Money of the last period."""
        return float(self.table["current"].sum())

    @property
    def schedule(self) -> pd.DataFrame:
        """What a planner imports: a row per week and channel.

        Columns scenario, week, channel, spend (money), units (of the weekly table), cost_per_unit.
        """
        spend = self.weekly.rename_axis("week").rename_axis("channel", axis=1).stack()
        table = spend.rename("spend").reset_index()
        table.insert(0, "scenario", self.scenario.name)
        cost = table["channel"].map(dict(zip(self.window.channels, self.window.cost, strict=True)))
        return table.assign(units=table["spend"] / cost, cost_per_unit=cost)

    @property
    def gain(self) -> np.ndarray:
        """Sales beyond the replay of the last period, shape (sample,)."""
        return self.response - self.status_quo

    @property
    def uplift(self) -> dict[str, float]:
        """The gain in figures (`spread`)."""
        return spread(self.gain)

    @property
    def of_all_sales(self) -> float:
        """Expected gain as a share of all sales of the last period; NaN where there were none."""
        return self._of(self.window.sales)

    @property
    def of_media_sales(self) -> float:
        """Expected gain as a share of what the replay is expected to bring by media."""
        return self._of(float(self.status_quo.mean()))

    def _of(self, whole: float) -> float:
        return float(self.gain.mean()) / whole if whole > 0 else float("nan")

    @property
    def profit_gain(self) -> np.ndarray | None:
        """Margin of the gain minus the further spend, shape (sample,); None without a margin."""
        if self.scenario.margin is None:
            return None
        return self.scenario.margin * self.gain - (self.total_budget - self.current_budget)

    @property
    def doubts(self) -> tuple[str, ...]:
        """What was asked for that another unit would explain, a sentence each."""
        found = doubts(self.scenario, self.window, float(self.status_quo.mean()))
        return tuple(f"Is the unit right? {text}." for text in found)

    @property
    def unrankable(self) -> pd.DataFrame:
        """Pairs between which money moves though the data cannot rank them."""
        return self.pairs[self.pairs["verdict"] == UNRANKED]


def spread(gain: np.ndarray) -> dict[str, float]:
    """Return a gain in figures: mean, intervals, probability, and mean of the worst 5 %."""
    levels = {name: float(np.quantile(gain, at)) for name, at in INTERVALS.items()}
    worst = np.sort(gain)[: max(1, round(SHORTFALL_TAIL * len(gain)))]
    return {
        "mean": float(gain.mean()),
        **levels,
        "probability": float((gain > 0).mean()),
        "shortfall": float(worst.mean()),
    }
