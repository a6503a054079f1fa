"""Two versions side by side: what differs, who forecasts better, and what that means for money."""

import math
from dataclasses import dataclass

import pandas as pd

from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence import compare_measures as measure
from mmm_demo.evidence.compare_measures import Difference, Regret
from mmm_demo.evidence.contest import explain
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.solver import GAP_MAX
from mmm_demo.settings.wording import MEDIA_SALES, amount, roas_with_interval, share, some
from mmm_demo.settings.wording import roas as roas_text

SETTINGS_NAMED = 6


@dataclass(frozen=True)
class Comparison:
    """Two versions A and B, held against each other.

    Attributes
    ----------
    differences
        Columns part (data, model, prior, scaling), setting, a, b.
    folds, crps
        Backtests paired by fold (`compare_measures.FOLDS`), and mean CRPS; less is better.
    elpd
        Expected log predictive density by leave-one-out; more is better.
    roas
        See `compare_measures.roas_table`.
    money, plan_overlap
        Money by channel (`compare_measures.MONEY`), and the share of the budget that both plans
        put in the same channels.
    regret_a, regret_b
        Of A's plan under B's model, and the reverse.
    no_plans
        Why there are no plans; empty where there are.
    """

    differences: pd.DataFrame
    folds: pd.DataFrame
    crps: Difference
    elpd: Difference
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
        Folds of both (`checks.backtest.fold_table`) on the same weeks, or why there are none.
    plans
        Plans of both for windows of the same length and money, or why there are none.
    """
    if isinstance(backtests, str):
        folds = pd.DataFrame(columns=list(measure.FOLDS))
        crps = Difference.unknown(backtests)
    else:
        folds, crps = measure.paired_folds(*backtests)
    money, regrets = pd.DataFrame(columns=list(measure.MONEY)), [Regret.unknown("no plans")] * 2
    if not isinstance(plans, str):
        money = measure.money_table(*plans)
        regrets = [
            measure.regret(b.fitted, plans[1], plans[0]),
            measure.regret(a.fitted, plans[0], plans[1]),
        ]
    return Comparison(
        differences=explain(a, b).rename(columns={"champion": "a", "challenger": "b"}),
        folds=folds,
        crps=crps,
        elpd=measure.elpd(a.fitted, b.fitted),
        roas=measure.roas_table(a.fitted, b.fitted),
        money=money,
        plan_overlap=measure.plan_overlap(money) if len(money) else math.nan,
        regret_a=regrets[0],
        regret_b=regrets[1],
        no_plans=plans if isinstance(plans, str) else "",
    )


def _differ(differences: pd.DataFrame) -> str:
    if differences.empty:
        return "A and B have the same configuration, data and priors."
    return f"A and B differ in {some(list(differences['setting']), SETTINGS_NAMED)}."


def _forecast(crps: Difference, folds: int) -> str:
    """Say who forecasts better, and whether that is more than noise."""
    if crps.reason:
        return f"Who forecasts better is {crps.reason}."
    over = "1 fold" if folds == 1 else f"{folds} folds"
    numbers = f"mean CRPS {amount(crps.a)} against {amount(crps.b)} over {over}"
    return f"{_verdict(crps, crps.difference < 0, 'forecasts', numbers)}."


def _describe(elpd: Difference) -> str:
    """Say whose account of the same weeks is better, each week left out in turn."""
    if elpd.reason:
        return f"The ELPD difference (leave-one-out) is {elpd.reason}."
    numbers = f"ELPD {amount(elpd.a)} against {amount(elpd.b)}"
    does = "describes the weeks, each left out in turn,"
    return f"{_verdict(elpd, elpd.difference > 0, does, numbers)}."


def _verdict(of: Difference, a_better: bool, does: str, numbers: str) -> str:
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


def _with_error(of: Difference) -> str:
    if of.reason:
        return NOT_ASSESSABLE
    return f"{_signed(of.difference)} (standard error {amount(of.standard_error)})"


def _interval(row: pd.Series, name: str) -> str:
    return roas_with_interval(
        *(row[f"{what}_{name}"] for what in ("median", "lower_94", "upper_94"))
    )
