"""Two versions side by side: what differs, who forecasts better, and what that means for money."""

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.checks.identification import overlap
from mmm_demo.checks.pointwise import fitted_log_likelihood, loo
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence.battery import UNCONVERGED_MAX
from mmm_demo.evidence.contest import explain, roas_draws
from mmm_demo.fits.fitted import WEEK, FittedModel
from mmm_demo.fits.trace import table_sha256
from mmm_demo.planning.plan import TOLERANCE, Plan
from mmm_demo.planning.solver import GAP_MAX
from mmm_demo.settings.wording import MEDIA_SALES, amount, roas_with_interval, share, some
from mmm_demo.settings.wording import roas as roas_text

SETTINGS_NAMED = 6
NOISE = 2.0  # standard errors that a difference must exceed to be more than noise
GOOD_K = 0.7  # above it PSIS-LOO is not to be trusted for that week
SAME_SALES = 1e-3  # the naive rule scores the same sales alike; other sales it does not
OTHER_DATA = "fitted on different data"
FOLDS = ("fold", "start", "crps_a", "crps_b", "difference", "converged")
MONEY = ("channel", "a", "b", "difference", "share_a", "share_b")


@dataclass(frozen=True)
class PairedMeasure:
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
    def unknown(cls, reason: str) -> "PairedMeasure":
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


@dataclass(frozen=True)
class Comparison:
    """Two versions A and B, held against each other.

    Attributes
    ----------
    differences
        Columns part (data, model, prior, scaling), setting, a, b.
    folds, crps
        Backtests paired by fold (`FOLDS`), and mean CRPS; less is better.
    elpd
        Expected log predictive density by leave-one-out; more is better.
    roas
        See `roas_table`.
    money, plan_overlap
        Money by channel (`MONEY`), and the share of the budget that both plans
        put in the same channels.
    regret_a, regret_b
        Of A's plan under B's model, and the reverse.
    no_plans
        Why there are no plans; empty where there are.
    """

    differences: pd.DataFrame
    folds: pd.DataFrame
    crps: PairedMeasure
    elpd: PairedMeasure
    roas: pd.DataFrame
    money: pd.DataFrame
    plan_overlap: float
    regret_a: Regret
    regret_b: Regret
    no_plans: str = ""

    def sentences(self) -> tuple[str, ...]:
        """Say what a reader should know first."""
        return (
            _forecast(self.crps, int(self.folds["converged"].sum())),
            _describe(self.elpd),
            _returns(self.roas),
            *_plans(self),
            _differ(self.differences),
        )

    def rows(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return name, a, b and difference of everything, as text for a terminal."""
        measures = [
            (name, amount(of.a), amount(of.b), _with_error(of))
            for name, of in (("mean backtest CRPS", self.crps), ("ELPD (LOO)", self.elpd))
        ]
        roas = [
            (
                f"ROAS {row['channel']}",
                _interval(row, "a"),
                _interval(row, "b"),
                f"overlap {share(row['overlap'])}",
            )
            for _, row in self.roas.iterrows()
        ]
        money = [
            (
                f"planned spend {row.channel}",
                amount(row.a),
                amount(row.b),
                _signed(row.difference),
            )
            for row in self.money.itertuples()
        ]
        regrets = [share(of.share, 1) for of in (self.regret_a, self.regret_b)]
        plans = [
            ("plan overlap, % of the budget", "", "", share(self.plan_overlap)),
            (f"regret of the plan under the other's model, % of {MEDIA_SALES}", *regrets, ""),
        ]
        differ = [(row.setting, row.a, row.b, "differs") for row in self.differences.itertuples()]
        return (*measures, *roas, *money, *plans, *differ)

    def metrics(self) -> dict[str, float]:
        """Return the numbers for the tracking store; what is not assessable is left out."""
        shared = self.roas.loc[self.roas["agree"].notna(), "overlap"]
        found = {
            "differences": float(len(self.differences)),
            "crps_a": self.crps.a,
            "crps_b": self.crps.b,
            "crps_difference": self.crps.difference,
            "crps_difference_se": self.crps.standard_error,
            "crps_ratio": self.crps.ratio,
            "elpd_a": self.elpd.a,
            "elpd_b": self.elpd.b,
            "elpd_difference": self.elpd.difference,
            "elpd_difference_se": self.elpd.standard_error,
            "roas_overlap_min": float(shared.min(skipna=False)),
            "plan_overlap": self.plan_overlap,
            "regret_a": self.regret_a.share,
            "regret_b": self.regret_b.share,
            "probability_worse_a": self.regret_a.probability_worse,
            "probability_worse_b": self.regret_b.probability_worse,
        }
        return {f"compare.{name}": value for name, value in found.items() if math.isfinite(value)}


def compare(
    a: Bundle,
    b: Bundle,
    backtests: tuple[pd.DataFrame, pd.DataFrame] | str,
    plans: tuple[Plan, Plan] | str,
) -> Comparison:
    """Compare two proven versions.

    Parameters
    ----------
    a, b
        The versions.
    backtests
        Folds of both (`backtest.fold_table`) on the same weeks, or why there are none.
    plans
        Plans of both for windows of the same length and money, or why there are none.
    """
    if isinstance(backtests, str):
        folds = pd.DataFrame(columns=list(FOLDS))
        crps = PairedMeasure.unknown(backtests)
    else:
        folds, crps = paired_folds(*backtests)
    money, regrets = pd.DataFrame(columns=list(MONEY)), [Regret.unknown("no plans")] * 2
    if not isinstance(plans, str):
        money = money_table(*plans)
        regrets = [
            regret(b.fitted, plans[1], plans[0]),
            regret(a.fitted, plans[0], plans[1]),
        ]
    return Comparison(
        differences=explain(a, b).rename(columns={"champion": "a", "challenger": "b"}),
        folds=folds,
        crps=crps,
        elpd=elpd(a.fitted, b.fitted),
        roas=roas_table(a.fitted, b.fitted),
        money=money,
        plan_overlap=plan_overlap(money) if len(money) else math.nan,
        regret_a=regrets[0],
        regret_b=regrets[1],
        no_plans=plans if isinstance(plans, str) else "",
    )


def paired_folds(a: pd.DataFrame, b: pd.DataFrame) -> tuple[pd.DataFrame, PairedMeasure]:
    """Pair the backtests of two models by fold.

    Parameters
    ----------
    a, b
        Folds (`backtest.fold_table`) of the same weeks and sales.

    Returns
    -------
    pandas.DataFrame
        Columns `FOLDS`; a fold in which either refit did not converge is shown, but not counted.
    PairedMeasure
        Mean CRPS over the folds that count; less is better.
    """
    if fault := _unpaired(a, b):
        return pd.DataFrame(columns=list(FOLDS)), PairedMeasure.unknown(fault)
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
        return table, PairedMeasure.unknown(why)
    if not np.isfinite(used[["crps_a", "crps_b"]].to_numpy()).all():
        return table, PairedMeasure.unknown("the CRPS of a fold is not finite")
    names = ", ".join(map(str, left_out))
    return table, PairedMeasure(
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


def elpd(a: FittedModel, b: FittedModel) -> PairedMeasure:
    """Compare expected log predictive density (PSIS-LOO) over the same weeks; more is better."""
    if table_sha256(a.table) != table_sha256(b.table):
        return PairedMeasure.unknown(OTHER_DATA)
    found = [loo(fitted_log_likelihood(of), of.trace["posterior"].to_dataset()) for of in (a, b)]
    return elpd_difference(
        *(item.elpd_i.to_numpy() for item in found), *(item.pareto_k.to_numpy() for item in found)
    )


def elpd_difference(
    a: np.ndarray, b: np.ndarray, k_a: np.ndarray, k_b: np.ndarray
) -> PairedMeasure:
    """Compare pointwise estimates.

    Parameters
    ----------
    a, b
        Expected log predictive density by week, shape (week,).
    k_a, k_b
        Pareto k by week, shape (week,).
    """
    if not np.isfinite(np.stack([a, b, k_a, k_b])).all():
        return PairedMeasure.unknown("the estimate of a week is not finite")
    high = {name: k for name, k in (("A", k_a), ("B", k_b)) if k.max() > GOOD_K}
    warned = " and ".join(
        f"{name} in {int((k > GOOD_K).sum())} weeks (at most {k.max():.2f})"
        for name, k in high.items()
    )
    spread = math.sqrt(len(a) * np.var(a - b, ddof=1))
    note = f"Pareto k is above {GOOD_K:g} for {warned}: read the difference with care"
    return PairedMeasure(float(a.sum()), float(b.sum()), spread, note=note if high else "")


def roas_table(a: FittedModel, b: FittedModel) -> pd.DataFrame:
    """Set the ROAS of both beside each other.

    Returns
    -------
    pandas.DataFrame
        Columns channel, median_a, lower_94_a, upper_94_a, the same of b, overlap (of the
        posteriors, 0 to 1) and agree (each median inside the other's interval); NaN and None where
        only one model has the channel.
    """
    draws = [roas_draws(of) for of in (a, b)]
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
        What it gives each channel, spread evenly over its weeks.
    start
        First week of the window. Later than the week after the data, nothing is carried in.

    Returns
    -------
    numpy.ndarray
        Sales units, shape (sample,).
    """
    planned = plan.table.set_index("channel")["units"]
    weekly = planned.reindex(fitted.config.channel_columns, fill_value=0.0).to_numpy() / plan.weeks
    follows = start == pd.Timestamp(fitted.weeks[-1]) + WEEK
    history = fitted.spend.to_numpy() if follows else fitted.spend.to_numpy()[:0]
    return fitted.response.incremental(history, np.tile(weekly, (plan.weeks, 1))).sum(axis=1)


def _differ(differences: pd.DataFrame) -> str:
    if differences.empty:
        return "A and B have the same configuration, data and priors."
    return f"A and B differ in {some(list(differences['setting']), SETTINGS_NAMED)}."


def _forecast(crps: PairedMeasure, folds: int) -> str:
    """Say who forecasts better, and whether that is more than noise."""
    if crps.reason:
        return f"Who forecasts better is {crps.reason}."
    over = "1 fold" if folds == 1 else f"{folds} folds"
    numbers = f"mean CRPS {amount(crps.a)} against {amount(crps.b)} over {over}"
    return f"{_verdict(crps, crps.difference < 0, 'forecasts', numbers)}."


def _describe(elpd: PairedMeasure) -> str:
    """Say whose account of the same weeks is better, each week left out in turn."""
    if elpd.reason:
        return f"The ELPD difference (leave-one-out) is {elpd.reason}."
    numbers = f"ELPD {amount(elpd.a)} against {amount(elpd.b)}"
    does = "describes the weeks, each left out in turn,"
    return f"{_verdict(elpd, elpd.difference > 0, does, numbers)}."


def _verdict(of: PairedMeasure, a_better: bool, does: str, numbers: str) -> str:
    """Say which of both is better, where it is more than noise."""
    error = "no standard error"
    if not math.isnan(of.standard_error):
        error = f"standard error {amount(of.standard_error)}"
    better, other = ("A", "B") if a_better else ("B", "A")
    if of.beyond_noise:
        text = f"{better} {does} better than {other}, by more than noise"
    elif of.difference == 0:
        text = f"Neither {does} better than the other"
    else:
        text = f"Neither {does} better by more than noise"
    text += f": {numbers}, difference {_signed(of.difference)} ({error})"
    return f"{text}; {of.note}" if of.note else text


def _returns(roas: pd.DataFrame) -> str:
    """Say whether the ROAS agree."""
    both = roas[roas["agree"].notna()]
    only = list(roas.loc[roas["agree"].isna(), "channel"])
    apart = both[~both["agree"].astype(bool)]
    if both.empty:
        text = f"Whether ROAS agree is {NOT_ASSESSABLE}: no channel is in both"
    elif apart.empty:
        text = f"ROAS agree in every channel of both ({len(both)}): each median lies inside "
        text += f"the other's 94% interval; the lowest overlap is {share(both['overlap'].min())}"
    else:
        named = (
            f"{row['channel']} ({roas_text(row['median_a'])} against {roas_text(row['median_b'])}, "
            f"overlap {share(row['overlap'])})"
            for _, row in apart.iterrows()
        )
        text = f"ROAS differ in {len(apart)} of {len(both)} channels: {', '.join(named)}"
    return f"{text}{f'; only in one of them: {", ".join(only)}' if only else ''}."


def _plans(found: Comparison) -> tuple[str, ...]:
    """Say what the plans differ in and what that costs."""
    if found.no_plans:
        return (f"Plans and regret are {NOT_ASSESSABLE}: {found.no_plans}.",)
    text = f"The plans put {share(found.plan_overlap)} of the budget in the same channels"
    moves = found.money.assign(moved=found.money["share_a"] - found.money["share_b"])
    most, least = moves.loc[moves["moved"].idxmax()], moves.loc[moves["moved"].idxmin()]
    if round(found.plan_overlap, 3) < 1:
        text += (
            f"; A's favours {most['channel']} ({share(most['share_a'])} against "
            f"{share(most['share_b'])}), B's favours {least['channel']} "
            f"({share(least['share_b'])} against {share(least['share_a'])})"
        )
    regrets = (("A", "B", found.regret_a), ("B", "A", found.regret_b))
    return (f"{text}.", *(_regret(*of) for of in regrets))


def _regret(plan: str, model: str, of: Regret) -> str:
    if of.reason:
        return f"Regret of {plan}'s plan under {model}'s model is {of.reason}."
    chance = f"it is worse with a probability of {share(of.probability_worse)}"
    where = f"Where {model}'s model is right, {plan}'s plan"
    if abs(of.share) <= GAP_MAX:
        return f"{where} is as good as {model}'s own (within {share(GAP_MAX, 1)})."
    if of.share < 0:
        more = f"{share(-of.share, 1)} more {MEDIA_SALES}"
        return f"{where} brings {more} than {model}'s own, whose bounds forbid it; {chance}."
    return f"{where} costs {share(of.share, 1)} of the expected {MEDIA_SALES}; {chance}."


def _signed(value: float) -> str:
    return f"+{amount(value)}" if value > 0 else amount(value)


def _with_error(of: PairedMeasure) -> str:
    if of.reason:
        return NOT_ASSESSABLE
    return f"{_signed(of.difference)} (standard error {amount(of.standard_error)})"


def _interval(row: pd.Series, name: str) -> str:
    return roas_with_interval(
        *(row[f"{what}_{name}"] for what in ("median", "lower_94", "upper_94"))
    )
