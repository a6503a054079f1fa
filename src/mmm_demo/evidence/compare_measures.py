"""What two models come to, measure by measure; where one cannot be told, why not."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.checks.identification import overlap
from mmm_demo.checks.pointwise import fitted_log_likelihood, loo
from mmm_demo.evidence.battery import UNCONVERGED_MAX
from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.fits.trace import table_sha256
from mmm_demo.planning.plan import TOLERANCE, Plan

NOISE = 2.0  # standard errors that a difference must exceed to be more than noise
GOOD_K = 0.7  # above it PSIS-LOO is not to be trusted for that week
SAME_SALES = 1e-3  # the naive rule scores the same sales alike; other sales it does not
OTHER_DATA = "fitted on different data"
FOLDS = ("fold", "start", "crps_a", "crps_b", "difference", "converged")
MONEY = ("channel", "a", "b", "difference", "share_a", "share_b")


@dataclass(frozen=True)
class Difference:
    """One measure of A and of B.

    Attributes
    ----------
    a, b
        The measure; NaN where it is not assessable.
    standard_error
        Of the difference a - b; NaN where there is none.
    reason
        Why it is not assessable; empty where it is.
    note
        What a reader of the numbers must know.
    """

    a: float
    b: float
    standard_error: float
    reason: str = ""
    note: str = ""

    @property
    def difference(self) -> float:
        """A less B."""
        return self.a - self.b

    @property
    def ratio(self) -> float:
        """A as a multiple of B; NaN unless B is above zero."""
        return self.a / self.b if self.b > 0 else math.nan

    @property
    def beyond_noise(self) -> bool:
        """Whether the difference exceeds twice its standard error; unmeasured does not."""
        return abs(self.difference) > NOISE * self.standard_error

    @classmethod
    def unknown(cls, reason: str) -> "Difference":
        """Return a measure that is not assessable."""
        return cls(math.nan, math.nan, math.nan, f"{NOT_ASSESSABLE}: {reason}")


@dataclass(frozen=True)
class Regret:
    """What it costs to follow one model's plan where the other model is right.

    Attributes
    ----------
    share
        Expected incremental response that is lost, as a share of the better plan's; NaN where it
        is not assessable. Slightly below zero (0.1 %) by the solver's tolerance; further below
        where the plan lies outside the bounds that the other model's own plan had to keep.
    probability_worse
        That the plan brings less than the model's own.
    reason
        Why it is not assessable; empty where it is.
    """

    share: float
    probability_worse: float
    reason: str = ""

    @classmethod
    def unknown(cls, reason: str) -> "Regret":
        """Return a regret that is not assessable."""
        return cls(math.nan, math.nan, f"{NOT_ASSESSABLE}: {reason}")


def paired_folds(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, Difference]:
    """Pair the backtests of two models by fold.

    Parameters
    ----------
    a, b
        Folds (`checks.backtest.fold_table`) of the same weeks and sales.

    Returns
    -------
    pandas.DataFrame
        Columns `FOLDS`; a fold in which either refit did not converge is shown, but not counted.
    Difference
        Mean CRPS over the folds that count; less is better.
    """
    if fault := _unpaired(a, b):
        return pd.DataFrame(columns=list(FOLDS)), Difference.unknown(fault)
    table = pd.DataFrame(
        {
            "fold": a["fold"].to_numpy(),
            "start": a["start"].to_numpy(),
            "crps_a": a["crps"].to_numpy(),
            "crps_b": b["crps"].to_numpy(),
            "difference": a["crps"].to_numpy() - b["crps"].to_numpy(),
            "converged": a["converged"].to_numpy(bool) & b["converged"].to_numpy(bool),
        }
    )
    used = table[table["converged"]]
    left_out = list(table.loc[~table["converged"], "fold"])
    if len(left_out) > UNCONVERGED_MAX * len(table):
        why = f"in {len(left_out)} of {len(table)} folds a refit did not converge"
        return table, Difference.unknown(why)
    if not np.isfinite(used[["crps_a", "crps_b"]].to_numpy()).all():
        return table, Difference.unknown("the CRPS of a fold is not finite")
    names = ", ".join(map(str, left_out))
    return table, Difference(
        a=float(used["crps_a"].mean()),
        b=float(used["crps_b"].mean()),
        standard_error=float(used["difference"].sem()),  # NaN for a single fold
        note=f"fold {names} left out, where a refit did not converge" if left_out else "",
    )


def _unpaired(a: pd.DataFrame, b: pd.DataFrame) -> str:
    """Say why two backtests cannot be paired; empty when they can."""
    if a.empty or b.empty:
        return "a backtest has no folds"
    if list(a["start"]) != list(b["start"]) or list(a["weeks"]) != list(b["weeks"]):
        return "the backtests have folds of different weeks"
    if not np.allclose(a["naive_crps"], b["naive_crps"], rtol=SAME_SALES):
        return "the backtests forecast different sales"
    return ""


def elpd(a: FittedModel, b: FittedModel) -> Difference:
    """Compare expected log predictive density (PSIS-LOO) over the same weeks; more is better."""
    if table_sha256(a.table) != table_sha256(b.table):
        return Difference.unknown(OTHER_DATA)
    found = [loo(fitted_log_likelihood(of), of.trace["posterior"].to_dataset()) for of in (a, b)]
    return elpd_difference(
        *(item.elpd_i.to_numpy() for item in found), *(item.pareto_k.to_numpy() for item in found)
    )


def elpd_difference(a: np.ndarray, b: np.ndarray, k_a: np.ndarray, k_b: np.ndarray) -> Difference:
    """Compare pointwise estimates.

    Parameters
    ----------
    a, b
        Expected log predictive density by week, shape (week,).
    k_a, k_b
        Pareto k by week, shape (week,).
    """
    if not np.isfinite(np.stack([a, b, k_a, k_b])).all():
        return Difference.unknown("the estimate of a week is not finite")
    high = {name: k for name, k in (("A", k_a), ("B", k_b)) if k.max() > GOOD_K}
    warned = " and ".join(
        f"{name} in {int((k > GOOD_K).sum())} weeks (at most {k.max():.2f})"
        for name, k in high.items()
    )
    spread = math.sqrt(len(a) * np.var(a - b, ddof=1))
    note = f"Pareto k is above {GOOD_K:g} for {warned}: read the difference with care"
    return Difference(float(a.sum()), float(b.sum()), spread, note=note if high else "")


def roas_table(a: FittedModel, b: FittedModel) -> pd.DataFrame:
    """Set the ROAS of both beside each other.

    Returns
    -------
    pandas.DataFrame
        Columns channel, median_a, lower_94_a, upper_94_a, the same of b, overlap (of the
        posteriors, 0 to 1) and agree (each median inside the other's interval); NaN and None where
        only one model has the channel.
    """
    draws = [
        dict(zip(of.config.channel_columns, of.response.roas(of.spend.to_numpy()).T, strict=True))
        for of in (a, b)
    ]
    rows = []
    for channel in dict.fromkeys([*draws[0], *draws[1]]):
        row = {"channel": channel}
        for name, of in zip("ab", draws, strict=True):
            levels = np.quantile(of.get(channel, np.nan), [0.5, 0.03, 0.97])
            names = (f"{level}_{name}" for level in ("median", "lower_94", "upper_94"))
            row |= dict(zip(names, levels, strict=True))
        both = channel in draws[0] and channel in draws[1]
        row["overlap"] = overlap(draws[0][channel], draws[1][channel]) if both else math.nan
        row["agree"] = _agree(row) if both else None
        rows.append(row)
    return pd.DataFrame(rows)


def _agree(row: dict) -> bool:
    inside = [
        row[f"lower_94_{other}"] <= row[f"median_{one}"] <= row[f"upper_94_{other}"]
        for one, other in ("ab", "ba")
    ]
    return all(inside)


def money_table(a: Plan, b: Plan) -> pd.DataFrame:
    """Return what both plans give each channel, as money and share; columns `MONEY`."""
    planned = [of.table.set_index("channel")["planned"] for of in (a, b)]
    channels = list(dict.fromkeys([*planned[0].index, *planned[1].index]))
    money = [of.reindex(channels, fill_value=0.0).to_numpy() for of in planned]
    shares = [of / of.sum() for of in money]
    columns = (channels, *money, money[0] - money[1], *shares)
    return pd.DataFrame(dict(zip(MONEY, columns, strict=True)))


def plan_overlap(money: pd.DataFrame) -> float:
    """Return the share of the budget that both plans (`money_table`) put in the same channels."""
    return float(1 - (money["share_a"] - money["share_b"]).abs().sum(skipna=False) / 2)


def regret(fitted: FittedModel, own: Plan, other: Plan) -> Regret:
    """Return what another model's plan costs where this model is right.

    Parameters
    ----------
    fitted
        The model that is right; its own spend is what is carried into the window.
    own, other
        Its own plan, and the one to follow instead. A channel that the other plan does not know
        gets nothing.
    """
    channels = list(fitted.config.channel_columns)
    if unknown := [name for name in other.table["channel"] if name not in channels]:
        return Regret.unknown(f"one model has no {', '.join(unknown)}")
    if own.weeks != other.weeks:
        return Regret.unknown(f"the plans are for {own.weeks} and {other.weeks} weeks")
    if not math.isclose(own.total_budget, other.total_budget, rel_tol=TOLERANCE):
        return Regret.unknown(
            f"the plans spend {own.total_budget:,.0f} and {other.total_budget:,.0f}"
        )
    theirs, ours = (plan_response(fitted, plan, own.start) for plan in (other, own))
    better = max(theirs.mean(), ours.mean())
    if not (better > 0 and math.isfinite(better)):
        return Regret.unknown("neither plan is expected to bring anything")
    return Regret(float((ours - theirs).mean() / better), float((theirs < ours).mean()))


def plan_response(fitted: FittedModel, plan: Plan, start: pd.Timestamp) -> np.ndarray:
    """Return what a model expects of a plan, as `Plan.response` but in NumPy, for any plan.

    Parameters
    ----------
    fitted
        Has every channel of the plan.
    plan
        Money by channel, spread evenly over its weeks.
    start
        First week of the window. Later than the week after the data, nothing is carried in.

    Returns
    -------
    numpy.ndarray
        Sales units, shape (sample,).
    """
    planned = plan.table.set_index("channel")["planned"]
    weekly = planned.reindex(fitted.config.channel_columns, fill_value=0.0).to_numpy() / plan.weeks
    follows = start == pd.Timestamp(fitted.weeks[-1]) + WEEK
    history = fitted.spend.to_numpy() if follows else fitted.spend.to_numpy()[:0]
    return fitted.response.incremental(history, np.tile(weekly, (plan.weeks, 1))).sum(axis=1)
