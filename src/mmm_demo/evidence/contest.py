"""Champion and challenger: who forecasts better, and whether a refresh stays where it was."""

import re
from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import DATA_DRIVEN, NOT_ASSESSABLE, PRIOR_DRIVEN, Check
from mmm_demo.checks.identification import channel_labels, overlap
from mmm_demo.checks.proof import Bundle
from mmm_demo.evidence.battery import assessable
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import table_sha256
from mmm_demo.planning.optimize import optimize_budget
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.window import BudgetError
from mmm_demo.settings.experiment import BudgetConfig, ModelConfig
from mmm_demo.settings.experiment_file import flat_params
from mmm_demo.settings.scenario import SEEN
from mmm_demo.tables.continuity import Findings, Weekly, compare
from mmm_demo.tables.lift import lift_sha256

STAGE = "contest"
MAIN_JOB = "main job"
UNASKED = ("", "none given", MAIN_JOB)  # what stands where nobody gave a reason
BETTER = "keep the champion, or improve the challenger until it forecasts as well"
MOVED = "find out what moved (below) before planning with it; the champion keeps planning"
# What `flat_params` says about settings that decide neither the model nor its data.
BESIDE_THE_MODEL = ("experiment.name", "sampler.", "gate.", "evidence.")


def same_model(one: ModelConfig, other: ModelConfig) -> bool:
    """Whether two configurations are one model; what they are scaled by does not count."""
    return replace(one, scaling=None) == replace(other, scaling=None)


def same_configuration(one: Bundle, other: Bundle) -> bool:
    """Whether two versions are one model, calibrated by the same lift tests."""
    tests = [bundle.fitted.lift_tests for bundle in (one, other)]
    hashes = {None if item is None else lift_sha256(item) for item in tests}
    return len(hashes) == 1 and same_model(one.experiment.model, other.experiment.model)


def same_forecasts(one: Bundle, other: Bundle) -> bool:
    """Whether two versions, refitted on the same weeks, must forecast the same."""
    same_scale = one.fitted.response.scaling == other.fitted.response.scaling
    return same_scale and same_configuration(one, other)


def crps_check(challenger: pd.DataFrame, champion: pd.DataFrame, worse_max: float) -> Check:
    """Judge mean backtest CRPS over the same folds, those in which both refits converged.

    Parameters
    ----------
    challenger, champion
        Folds of both (`evidence.backtest.fold_table`), on the same weeks.
    worse_max
        How much worse the challenger may be, as a share.
    """
    both = (challenger, champion)
    starts, weeks = ([list(item[name]) for item in both] for name in ("start", "weeks"))
    means = [float("nan")] * 2
    if starts[0] == starts[1] and weeks[0] == weeks[1]:
        used = challenger["converged"].to_numpy(bool) & champion["converged"].to_numpy(bool)
        means = [_mean_crps(item[used]) for item in both]
    ratio = means[0] / means[1] if 0 < means[1] < np.inf else float("nan")
    where = f"mean CRPS {means[0]:,.4g} against the champion's {means[1]:,.4g}"
    check = _crps_check(ratio, worse_max, where, BETTER)
    for folds in both:
        [check] = assessable([check], list(folds["converged"]))
    return check


def _mean_crps(folds: pd.DataFrame) -> float:
    """Return mean CRPS over all weeks; NaN where a fold has none, or without folds."""
    weeks = folds["weeks"].sum()
    return float((folds["crps"] * folds["weeks"]).sum(skipna=False) / weeks) if weeks else np.nan


def tie_check(worse_max: float) -> Check:
    """Return the check for one and the same model: refitted on the same data, it is as good."""
    return _crps_check(1.0, worse_max, "same configuration, so the same forecasts", BETTER)


def not_comparable(worse_max: float, why: str) -> Check:
    """Return the check for a champion that cannot be refitted on the challenger's data."""
    advice = "give both the same target and weeks, or another market name"
    return _crps_check(float("nan"), worse_max, why, advice)


def _crps_check(ratio: float, worse_max: float, where: str, advice: str) -> Check:
    return Check("contest_crps_ratio", STAGE, ratio, "<=", 1 + worse_max, where, advice)


def stability(champion: Bundle, challenger: Bundle) -> pd.DataFrame:
    """Hold the challenger's ROAS against the champion's.

    Returns
    -------
    pandas.DataFrame
        Columns channel, champion, lower_94, upper_94 (the champion's), challenger, inside,
        overlap (of the posteriors, 0 to 1); one row per channel that both have.
    """
    before, after = roas_draws(champion.fitted), roas_draws(challenger.fitted)
    rows = []
    for channel in (name for name in after if name in before):
        lower, median, upper = np.quantile(before[channel], [0.03, 0.5, 0.97])
        now = float(np.median(after[channel]))
        rows.append(
            {
                "channel": channel,
                "champion": median,
                "lower_94": lower,
                "upper_94": upper,
                "challenger": now,
                "inside": bool(lower <= now <= upper),
                "overlap": overlap(before[channel], after[channel]),
            }
        )
    return pd.DataFrame(rows)


def roas_draws(fitted: FittedModel) -> dict[str, np.ndarray]:
    """Return the draws of each channel's ROAS, shape (sample,)."""
    draws = fitted.response.roas(fitted.spend.to_numpy())
    return dict(zip(fitted.config.channel_columns, draws.T, strict=True))


def refresh_check(moved: pd.DataFrame) -> Check:
    """Judge a refresh (`stability`): each new median must lie in the champion's interval."""
    outside = list(moved.loc[~moved["inside"].astype(bool), "channel"]) if len(moved) else []
    return Check(
        "refresh_roas_outside",
        STAGE,
        float(len(outside)) if len(moved) else float("nan"),
        "<=",
        0.0,
        ", ".join(outside),
        MOVED,
    )


def held_to(champion: Bundle, challenger: Bundle) -> Findings:
    """Hold the challenger's weeks against the champion's: a version may be older than it."""
    now, before = (
        Weekly.of(of.fitted.table, of.experiment.model, of.experiment.data)
        for of in (challenger, champion)
    )
    return compare(now, before)


def lost_knowledge(champion: Bundle, challenger: Bundle) -> pd.DataFrame:
    """Return what each ROAS rests on in both versions, judged today from the draws of both.

    Returns
    -------
    pandas.DataFrame
        Columns channel, champion, challenger (labels) and lost: `yes` where the champion's was
        data-driven and the challenger's is prior-driven, `unknown` where that could not be
        measured, else `no`; one row per channel that both have.
    """
    before, after = channel_labels(champion.fitted), channel_labels(challenger.fitted)
    rows = [
        (name, before[name], label, _lost(before[name], label))
        for name, label in after.items()
        if name in before
    ]
    return pd.DataFrame(rows, columns=["channel", "champion", "challenger", "lost"])


def _lost(before: str, after: str) -> str:
    if after == DATA_DRIVEN or before == PRIOR_DRIVEN:
        return "no"
    return "unknown" if NOT_ASSESSABLE in (before, after) else "yes"


def knowledge_check(known: pd.DataFrame, refresh: bool, reason: str, command: str) -> Check:
    """Judge whether a challenger wins by knowing less (`lost_knowledge`).

    A prior-driven ROAS lies inside the champion's interval because the prior does.

    Parameters
    ----------
    known
        Labels of both.
    refresh
        Whether both are one model: then nothing excuses it.
    reason
        Why the version is promoted. Of another model it excuses the channels that it names.
    command
        Command that promotes the version, up to the reason.
    """
    lost = known[known["lost"] != "no"]
    if not refresh:
        lost = lost[~lost["channel"].isin(named_in(reason, list(known["channel"])))]
    named = [f"{row.channel} ({row.champion} -> {row.challenger})" for row in lost.itertuples()]
    measured = bool((lost["lost"] == "yes").any()) or lost.empty
    channels = ", ".join(lost["channel"])
    advice = (
        "the data told less than the champion's, so its interval is no evidence: look for what "
        "changed in them (below)"
        if refresh
        else f'where that is meant, say so and name it: {command} --reason "{channels}: ..."'
    )
    return Check(
        "contest_knowledge_lost",
        STAGE,
        float(len(lost)) if measured else float("nan"),
        "<=",
        0.0,
        ", ".join(named),
        advice,
    )


def named_in(reason: str, channels: Collection[str]) -> set[str]:
    """Return the channels that a reason names; of `paid search` and `search`, the longer first."""
    found, left = set(), "" if reason in UNASKED else reason.casefold()
    for channel in sorted(channels, key=len, reverse=True):
        word = rf"(?<![a-z0-9_]){re.escape(channel.casefold())}(?![a-z0-9_])"
        left, times = re.subn(word, " ", left)
        found |= {channel} if times else set()
    return found


def common_table(champion: Bundle, challenger: Bundle) -> pd.DataFrame:
    """Return the weeks that the champion's model can be refitted on, to be compared fairly.

    The challenger's own where they have the champion's columns; else the champion's, where they
    are the same weeks of the same sales (other channel groups of one source).

    Raises
    ------
    ValueError
        When there are none.
    """
    config, theirs = champion.experiment.model, challenger.fitted.table
    wanted = [config.date_column, config.target_column]
    wanted += [*config.channel_columns, *config.control_columns]
    missing = [name for name in wanted if name not in theirs]
    if not missing:
        return theirs[wanted]
    own = champion.fitted.table
    if np.array_equal(challenger.fitted.weeks, champion.fitted.weeks) and np.allclose(
        challenger.fitted.observed, champion.fitted.observed
    ):
        return own
    raise ValueError(f"the challenger's data lack the champion's {', '.join(missing)}")


def plans_of(one: Bundle, other: Bundle) -> tuple[Plan, Plan] | str:
    """Plan the same money over the same number of weeks with both, or say why that is impossible.

    Window, money and what a unit costs are those of the second. Channels go as far as the data have
    seen: narrower bounds would hide how far the two disagree.
    """
    weeks, cost = other.experiment.budget.weeks, other.experiment.budget.cost_per_unit
    shared = {name: cost[name] for name in cost if name in one.fitted.config.channel_columns}
    try:
        budget = BudgetConfig(weeks=weeks, cost_per_unit=cost, default_bounds=SEEN)
        plan = optimize_budget(other.fitted, budget)
        budget = replace(budget, total_budget=plan.total_budget, cost_per_unit=shared)
        return optimize_budget(one.fitted, budget), plan
    except BudgetError as fault:
        return str(fault)


def explain(champion: Bundle, challenger: Bundle) -> pd.DataFrame:
    """Say what differs between two versions.

    Returns
    -------
    pandas.DataFrame
        Columns part (data, model, prior, scaling), setting, champion, challenger.
    """
    before, after = _facts(champion), _facts(challenger)
    rows = [
        (name.split(".")[0], name, before.get(name, "none"), after.get(name, "none"))
        for name in dict.fromkeys([*before, *after])
        if before.get(name) != after.get(name)
    ]
    return pd.DataFrame(rows, columns=["part", "setting", "champion", "challenger"])


def _facts(bundle: Bundle) -> dict[str, str]:
    """Return everything that decides a fit, as text by name."""
    fitted, tests = bundle.fitted, bundle.fitted.lift_tests
    scaling = fitted.response.scaling  # what the priors live on, whoever set it
    facts = {
        name: str(value)
        for name, value in flat_params(bundle.experiment).items()
        if not name.startswith(BESIDE_THE_MODEL)
    }
    facts |= {
        "data.weeks_fitted": fitted.span,
        "data.sha256": table_sha256(fitted.table, fitted.config.calendar)[:12],
        "data.sales": f"{fitted.observed.sum():,.0f}",
    }
    facts |= {f"data.spend.{name}": f"{fitted.spend[name].sum():,.0f}" for name in fitted.spend}
    if tests is not None:
        facts["data.lift_tests"] = f"{len(tests)}, sha256 {lift_sha256(tests)[:12]}"
    facts["scaling.target"] = f"{scaling.target:,.6g}"
    pairs = zip(fitted.config.channel_columns, scaling.channels, strict=True)
    facts |= {f"scaling.{name}": f"{value:,.6g}" for name, value in pairs}
    return facts


def reasons(checks: Sequence[Check]) -> tuple[str, ...]:
    """Say which checks of a contest were lost, a line each."""
    return tuple(f"{check}; {check.advice}" for check in checks if not check.passed)
