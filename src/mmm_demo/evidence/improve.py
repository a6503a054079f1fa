"""Which of several fits of the same weeks to go on with, if any: a rule over a table, no opinion.

The simplest fit that clears most flags and forecasts no worse than one standard error behind the
best. Forecasts refute and never crown: two models that forecast alike may differ in what each
channel is worth. Where those that clear the flags differ in that, there is no reason to choose.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
import pandas as pd

from mmm_demo.checks.remedies import EXPERIMENT_ONLY, MEMORY, TOGETHER
from mmm_demo.evidence.scores import CRPS, backtest_scores, standard_error
from mmm_demo.settings.changes import Settings, told

AS_IT_IS = "as it is"
ROAS = ("channel", "median", "lower_94", "upper_94")
SPREAD = ("channel", "lowest", "highest", "lower_94", "upper_94", "agree")


@dataclass(frozen=True)
class Tried:
    """One fit, judged.

    Attributes
    ----------
    settings
        What differs from the fit as it is; empty for that itself.
    parameters
        How many numbers its model has to learn.
    flags
        Names of the advisory checks that did not pass.
    roas
        Columns `ROAS`; empty where the gate refused.
    forecast
        Rows of `backtest.run_backtest`; empty where the gate refused.
    refused
        Why no result of it may be used; empty when it passed.
    seconds
        That it took.
    """

    settings: Settings
    parameters: int
    flags: frozenset[str] = frozenset()
    roas: pd.DataFrame = field(default_factory=lambda: pd.DataFrame(columns=[*ROAS]))
    forecast: pd.DataFrame = field(default_factory=pd.DataFrame)
    refused: str = ""
    seconds: float = math.nan

    @property
    def name(self) -> str:
        """What it is called."""
        return told(self.settings) or AS_IT_IS

    @property
    def crps(self) -> float:
        """Mean CRPS of its backtest; NaN where that is not whole."""
        return math.nan if self.forecast.empty else backtest_scores(self.forecast)[CRPS]

    @property
    def unusable(self) -> str:
        """Why it cannot be held against others; empty where it can."""
        if self.refused:
            return self.refused
        numbers = self.roas[[*ROAS[1:]]].to_numpy(float)
        if self.roas.empty or not np.isfinite(numbers).all():
            return "its ROAS is not finite"
        if not math.isfinite(self.crps):
            return "its backtest could not be measured"
        return ""


@dataclass(frozen=True)
class Recommendation:
    """What a round of fits says.

    Attributes
    ----------
    table
        A row per fit, the one as it is first: fit, flags (names), crps, behind (of the best),
        error (standard, of `behind`), eligible, seconds, note.
    chosen
        Position of the recommended fit; None where things stay as they are.
    reason
        In a sentence.
    spread
        Columns `SPREAD`, of the fits that clear most flags; empty where there are fewer than two.
    clearing
        Positions of the fits that clear most flags and forecast well, the simplest first.
    """

    table: pd.DataFrame
    chosen: int | None
    reason: str
    spread: pd.DataFrame
    clearing: tuple[int, ...] = ()


def recommend(tried: Sequence[Tried]) -> Recommendation:
    """Say which fit to go on with.

    Parameters
    ----------
    tried
        The fit as it is first, then its candidates in the order in which they were offered.
    """
    flags, faults = _inherited(tried), _faults(tried)
    usable = [] if faults[0] else [n for n, fault in enumerate(faults) if not fault]
    behind = _behind(tried, usable)
    eligible = [n for n in usable if behind[n][0] <= behind[n][1]]  # NaN is not
    table = _table(tried, flags, faults, behind, eligible)
    nothing = pd.DataFrame(columns=[*SPREAD])
    if faults[0]:
        reason = f"The fit as it is cannot be held against others: {faults[0]}."
        return Recommendation(table, None, reason, nothing)
    if usable == [0]:
        why = "No candidate was fitted" if len(tried) == 1 else "No candidate is usable"
        return Recommendation(table, None, f"{why}: leave it as it is.", nothing)
    if tried[0].forecast["fold"].nunique() < 2:
        reason = "A backtest of one fold has no standard error, so no fit can be held against it: "
        return Recommendation(table, None, f"{reason}raise evidence.folds.", nothing)
    counted = _counted(tried)
    fewest = min((counted[number] for number in eligible), default=math.inf)
    if not fewest < counted[0]:
        reason = "No candidate that forecasts well has fewer flags: leave it as it is."
        return Recommendation(table, None, reason, nothing)
    clearing = [number for number in eligible if counted[number] == fewest]
    clearing.sort(key=lambda n: (len(tried[n].settings), tried[n].parameters, n))
    spread = roas_spread([tried[number].roas for number in clearing])
    apart = list(spread.loc[~spread["agree"].astype(bool), "channel"])
    if apart:
        reason = (
            f"{len(clearing)} candidates clear the same number of flags and disagree on the ROAS "
            f"of {', '.join(apart)} beyond their intervals: the data give no reason to choose one."
        )
        return Recommendation(table, None, reason, spread, tuple(clearing))
    chosen = clearing[0]
    cleared = ", ".join(sorted(flags[0] - flags[chosen]))
    left = ", ".join(sorted(flags[chosen])) or "none"
    reason = (
        f"{tried[chosen].name}: it clears {cleared}, leaves {left}, and forecasts no worse than "
        "one standard error behind the best"
    )
    reason += "." if len(clearing) == 1 else "; the simplest of those that do so and agree on ROAS."
    return Recommendation(table, chosen, reason, spread, tuple(clearing))


def _inherited(tried: Sequence[Tried]) -> list[frozenset[str]]:
    """Return the flags of each fit; what only an experiment can clear stays with all of them."""
    kept = tried[0].flags & {*EXPERIMENT_ONLY}
    return [of.flags | kept for of in tried]


def _counted(tried: Sequence[Tried]) -> list[int]:
    """Return how many flags count against each fit: not those that all of them inherit.

    A candidate that raises such a flag anew has lost something, so there it counts; but noise that
    is allowed to hang together only tells in another place that residuals do.
    """
    kept = tried[0].flags & {*EXPERIMENT_ONLY}
    if tried[0].flags & {*TOGETHER}:
        kept |= {MEMORY}
    return [len(of.flags - kept) for of in tried]


def _faults(tried: Sequence[Tried]) -> list[str]:
    """Say of each fit why it cannot be held against the others; empty where it can."""
    faults = [of.unusable for of in tried]
    if faults[0]:
        return faults
    weeks = _weeks(tried[0])
    other = "its backtest is about other weeks"
    return [
        fault or ("" if _weeks(of) == weeks else other)
        for fault, of in zip(faults, tried, strict=True)
    ]


def _weeks(of: Tried) -> list[tuple]:
    return list(of.forecast[["fold", "week"]].itertuples(index=False, name=None))


def _behind(tried: Sequence[Tried], usable: Sequence[int]) -> list[tuple[float, float]]:
    """Return how far each forecasts behind the best, paired by week, and the standard error."""
    found = [(math.nan, math.nan)] * len(tried)
    if usable:
        best = tried[min(usable, key=lambda number: tried[number].crps)].forecast
    for number in usable:
        one = tried[number].forecast
        values = one["crps"].to_numpy(float) - best["crps"].to_numpy(float)
        error = standard_error(values, one["fold"].to_numpy())
        found[number] = (float(values.mean()), error)
    return found


def roas_spread(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Set the ROAS of several fits beside each other.

    Parameters
    ----------
    tables
        Columns `ROAS`, of the same channels.

    Returns
    -------
    pandas.DataFrame
        Columns `SPREAD`, a row per channel: lowest and highest median, the ends of all intervals,
        and whether each median lies inside every other fit's interval.
    """
    rows = []
    for channel in tables[0]["channel"]:
        found = [table[table["channel"] == channel].iloc[0] for table in tables]
        medians = [float(of["median"]) for of in found]
        agree = all(
            one["lower_94"] <= other["median"] <= one["upper_94"]
            and other["lower_94"] <= one["median"] <= other["upper_94"]
            for one, other in combinations(found, 2)
        )
        ends = min(of["lower_94"] for of in found), max(of["upper_94"] for of in found)
        rows.append((channel, min(medians), max(medians), *map(float, ends), agree))
    return pd.DataFrame(rows, columns=[*SPREAD])


def _table(
    tried: Sequence[Tried],
    flags: Sequence[frozenset[str]],
    faults: Sequence[str],
    behind: Sequence[tuple[float, float]],
    eligible: Sequence[int],
) -> pd.DataFrame:
    rows = [
        {
            "fit": of.name,
            "flags": tuple(sorted(flags[n])),
            "crps": of.crps,
            "behind": behind[n][0],
            "error": behind[n][1],
            "eligible": n in eligible,
            "seconds": of.seconds,
            "note": faults[n],
        }
        for n, of in enumerate(tried)
    ]
    return pd.DataFrame(rows)
