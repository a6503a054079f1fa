"""Fits -> ranking: which are best by what they forecast, and which are as good as the best.

Only fits that passed are ranked, only those on the same sales compare, and by CRPS only those that
forecast the same weeks in the same folds. What was not measured is never ranked.
"""

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
import pandas as pd

from mmm_demo.evidence.scores import (
    CRPS,
    ELPD,
    METRICS,
    backtest_scores,
    loo_scores,
    standard_error,
)
from mmm_demo.settings.run_schema import SALES_PARAM

PASSED = "passed"
MEASURES = {"crps": CRPS, "elpd": ELPD}
OTHER_SALES = "explains other sales"
NO_SALES = "does not say which sales it explains; fit it again"


@dataclass(frozen=True, eq=False)
class Tables:
    """What a fit's scores are made from (`scores`); None where it is not on record."""

    backtest: pd.DataFrame | None = None
    pointwise: pd.DataFrame | None = None
    roas: pd.DataFrame | None = None
    plan: pd.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class Candidate:
    """A fit that may be ranked.

    Attributes
    ----------
    run_id, name, kind
        Its run; `fit` or `trial`.
    verdict, reason
        `passed` or another word, and why it did not pass.
    started
        Milliseconds since 1970.
    params
        As logged.
    rhat
        Worst R-hat; NaN where there is none.
    tables
        Of a fit that did not pass there are none: nothing of it is interpreted.
    """

    run_id: str
    name: str
    kind: str
    verdict: str
    reason: str
    started: int
    params: Mapping[str, str]
    rhat: float
    tables: Tables = field(default_factory=Tables)

    def __post_init__(self) -> None:
        """Refuse tables of a fit that did not pass."""
        if self.verdict != PASSED and any(of is not None for of in vars(self.tables).values()):
            raise ValueError(f"run {self.run_id} did not pass; none of its tables may be read")

    @property
    def label(self) -> str:
        """First characters of the run, and its name."""
        return f"{self.run_id[:8]} {self.name}"

    @property
    def sales(self) -> str:
        """Identity of the sales that it explains; empty where it is not known."""
        return self.params.get(SALES_PARAM, "")

    @cached_property
    def scores(self) -> Mapping[str, float]:
        """Scores, from the tables; NaN where there is no table."""
        found = dict.fromkeys(METRICS, math.nan)
        if self.tables.backtest is not None:
            found |= backtest_scores(self.tables.backtest)
        if self.tables.pointwise is not None:
            found |= loo_scores(self.tables.pointwise)
        return found

    def weeks(self, by: str) -> tuple:
        """Return which weeks its score is about: two scores compare where these are the same."""
        table = self.tables.backtest if by == "crps" else self.tables.pointwise
        columns = ("fold", "week", "observed") if by == "crps" else ("week",)
        return () if table is None else tuple(table[list(columns)].itertuples(index=False))


@dataclass(frozen=True, eq=False)
class Ranked:
    """A fit in its place.

    Attributes
    ----------
    candidate, rank
        The fit; 1 is the best.
    behind, behind_se
        How much worse than the best it is, and the standard error of this paired difference.
    equal
        Whether that is within one standard error.
    weight
        Of stacking; NaN where it was not asked for.
    """

    candidate: Candidate
    rank: int
    behind: float
    behind_se: float
    weight: float = math.nan

    @property
    def equal(self) -> bool:
        """Whether it is as good as the best; a standard error that is not known says no."""
        return self.rank == 1 or self.behind <= self.behind_se


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """All fits that were looked at; each is in one of the four.

    Attributes
    ----------
    by
        `crps` or `elpd`.
    ranked
        Passing fits that compare, the best first.
    unmeasured, failed
        Fits without the score, and fits that did not pass.
    left_out
        Fits that do not compare, each with the reason.
    """

    by: str
    ranked: tuple[Ranked, ...]
    unmeasured: tuple[Candidate, ...]
    failed: tuple[Candidate, ...]
    left_out: tuple[tuple[Candidate, str], ...]

    @property
    def equal(self) -> tuple[Ranked, ...]:
        """The best fit and all that are as good."""
        return tuple(item for item in self.ranked if item.equal)

    def with_weights(self, weights: Mapping[str, float]) -> "Leaderboard":
        """Return the same with stacking weights, by run id."""
        ranked = [
            replace(item, weight=weights.get(item.candidate.run_id, math.nan))
            for item in self.ranked
        ]
        return replace(self, ranked=tuple(ranked))


def rank(candidates: Iterable[Candidate], by: str) -> Leaderboard:
    """Rank fits by a score.

    The sales that count are those of the latest fit that passed. By CRPS, the weeks that count are
    those that most of the fits forecast.

    Parameters
    ----------
    candidates
        Passing and failing fits of one market.
    by
        `crps` (less is better) or `elpd` (more is better).

    Raises
    ------
    ValueError
        When there is no such score.
    """
    if by not in MEASURES:
        raise ValueError(f"fits are ranked by {' or '.join(MEASURES)}; got {by!r}")
    latest = sorted(candidates, key=lambda item: -item.started)
    same, left_out = _same_sales(latest)
    passing = [item for item in same if item.verdict == PASSED]
    measured = [item for item in passing if math.isfinite(item.scores[MEASURES[by]])]
    compared, others = _same_weeks(measured, by)
    return Leaderboard(
        by=by,
        ranked=_ranked(compared, by),
        unmeasured=tuple(item for item in passing if item not in measured),
        failed=tuple(item for item in same if item.verdict != PASSED),
        left_out=(*left_out, *others),
    )


def _same_sales(
    latest: list[Candidate],
) -> tuple[list[Candidate], list[tuple[Candidate, str]]]:
    known = [item for item in latest if item.sales]
    passing = [item for item in known if item.verdict == PASSED]
    wanted = (passing or known)[0].sales if known else ""
    same, others = [], []
    for item in latest:
        early = item.verdict != PASSED and not item.sales  # it failed before its data were read
        if early or (item.sales and item.sales == wanted):
            same.append(item)
        else:
            others.append((item, OTHER_SALES if item.sales else NO_SALES))
    return same, others


def _same_weeks(
    measured: list[Candidate], by: str
) -> tuple[list[Candidate], list[tuple[Candidate, str]]]:
    weeks = [item.weeks(by) for item in measured]
    wanted = Counter(weeks).most_common(1)[0][0] if weeks else ()  # of two, the latest fit's
    reason = "its backtest forecasts other weeks" if by == "crps" else "it estimates other weeks"
    pairs = list(zip(measured, weeks, strict=True))
    same = [item for item, of in pairs if of == wanted]
    return same, [(item, reason) for item, of in pairs if of != wanted]


def _ranked(compared: list[Candidate], by: str) -> tuple[Ranked, ...]:
    sign = 1 if by == "crps" else -1
    ordered = sorted(compared, key=lambda item: (sign * item.scores[MEASURES[by]], item.started))
    return tuple(
        Ranked(item, place, *_behind(item, ordered[0], by)) for place, item in enumerate(ordered, 1)
    )


def _behind(item: Candidate, best: Candidate, by: str) -> tuple[float, float]:
    """Return how much worse than the best a fit is, and the standard error of that."""
    if by == "crps":
        mine, theirs = (of.tables.backtest for of in (item, best))
        worse = mine["crps"].to_numpy() - theirs["crps"].to_numpy()
        return float(worse.mean()), standard_error(worse, mine["fold"].to_numpy())
    mine, theirs = (of.tables.pointwise["elpd_i"].to_numpy() for of in (item, best))
    worse = theirs - mine
    return float(worse.sum()), math.sqrt(len(worse) * np.var(worse, ddof=1))
