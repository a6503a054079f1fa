"""Placebo: whether the model finds sales for a channel that cannot have brought any."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.battery import Battery, Step, Watch, assessable
from mmm_demo.evidence.refit import Refitter
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.priors import PriorConfig, parameters_of

STAGE = "placebo"
SHARE_MAX = 0.02
ALLOWED = 1.0
NAME = "placebo"
YEAR = 52


def shifts(weeks: int, max_lag: int, count: int) -> list[int]:
    """Return by how many weeks to shift a channel, evenly spread and beyond the carryover.

    Whole years are passed over: spend that repeats every year would meet its own effect there.

    Raises
    ------
    ValueError
        When there are too few weeks to shift by more than the lag, from a whole year too.
    """
    even = [round(weeks * (place + 1) / (count + 1)) for place in range(count)]
    allowed = [
        shift
        for shift in range(max_lag + 1, weeks - max_lag)
        if min(shift % YEAR, -shift % YEAR) > max_lag
    ]
    beyond = min(even[0], weeks - even[-1]) > max_lag and allowed
    # The nearest that is allowed; of two, the later.
    found = [min(allowed, key=lambda shift: (abs(shift - at), -shift)) for at in even if beyond]
    if len(set(found)) < count:
        raise ValueError(
            f"{weeks} weeks are too few for {count} shifts beyond {max_lag} weeks that are as far "
            "from whole years; ask for fewer placebos or a shorter lag"
        )
    return found


def free_name(columns: Iterable[str]) -> str:
    """Return `placebo`, or a longer name where a column of the table is called so."""
    name, taken = NAME, set(columns)
    while name in taken:
        name += "_"
    return name


def with_placebo(table: pd.DataFrame, source: str, shift: int) -> pd.DataFrame:
    """Return the table with a column `free_name`: a channel's spend, shifted in a circle."""
    return table.assign(**{free_name(table): np.roll(table[source].to_numpy(), shift)})


def placebo_row(source: str, shift: int, shares: np.ndarray, converged: bool) -> dict[str, object]:
    """Describe one placebo; `shares` are draws of its share of sales, shape (sample,)."""
    low, median, high = np.quantile(shares, [0.05, 0.5, 0.95])
    return {
        "channel": source,
        "shift_weeks": shift,
        "share_lower_5": low,
        "share_median": median,
        "share_upper_95": high,
        "believed": bool(low > SHARE_MAX),
        "converged": converged,
    }


def placebo_checks(table: pd.DataFrame) -> tuple[Check, ...]:
    """Judge placebos (rows of `placebo_row`): two that are believed are one too many."""
    used = table[table["converged"]]
    finite = np.isfinite(used["share_lower_5"].astype(float)).all()
    believed = used[used["share_lower_5"] > SHARE_MAX]
    check = Check(
        "placebo_believed",
        STAGE,
        # So few placebos could not fail.
        float(len(believed)) if len(used) > ALLOWED and finite else float("nan"),
        "<=",
        ALLOWED,
        ", ".join(f"{row.channel} by {row.shift_weeks} weeks" for row in believed.itertuples()),
        "the model credits media with what something else does; look for a missing driver",
    )
    return assessable([check], list(table["converged"]))


def run_placebo(
    fitted: FittedModel, evidence: EvidenceConfig, seed: int, watch: Watch
) -> pd.DataFrame:
    """Add a channel that cannot have worked: a real one, shifted in a circle.

    Channels take turns, the one with the largest spend first. Where they have priors or forms of
    their own only that one is used, as these are compiled in.

    Returns
    -------
    pandas.DataFrame
        Rows of `placebo_row`.
    """
    config, table, rows = fitted.config, fitted.table, []
    by_spend = list(fitted.spend.sum().sort_values(ascending=False).index)
    own_priors = any(
        isinstance(value, tuple)
        for name in config.channel_parameters
        for value in config.full_priors[name].parameters.values()
    )
    sources = by_spend[:1] if own_priors or config.media else by_spend
    by_weeks = shifts(len(table), config.longest_lag, evidence.placebos)
    for number, shift in enumerate(by_weeks, 1):
        source = sources[(number - 1) % len(sources)]
        changed = with_placebo(table, source, shift)
        extended = _with_channel(config, source)
        refit = Refitter(extended, changed, evidence).fit(changed, seed + number, fitted.lift_tests)
        spend = changed[list(extended.channel_columns)].to_numpy()
        brought = refit.response.contributions(spend)[:, :, -1].sum(axis=1)
        shares = brought / changed[config.target_column].sum()
        rows.append(placebo_row(source, shift, shares, refit.converged))
        name = f"{source} shifted by {shift} weeks"
        measured = {"share_lower_5": rows[-1]["share_lower_5"]}
        watch(Step(STAGE, number, evidence.placebos, name, refit, measured))
    return pd.DataFrame(rows)


def _with_channel(config: ModelConfig, source: str) -> ModelConfig:
    """Return the model with the placebo as a last channel: the source's forms, priors and scale."""
    place, placebo = config.channel_columns.index(source), free_name(config.columns)
    parameters = parameters_of(config.form)
    priors = {
        name: _longer(prior, place, parameters[name].only)
        if name in config.channel_parameters
        else prior
        for name, prior in config.priors.items()
    }
    own = {placebo: config.media[source]} if source in config.media else {}
    scaling = config.scaling
    if scaling:
        scaling = ScalingConfig(scaling.target, (*scaling.channels, scaling.channels[place]))
    return replace(
        config,
        channel_columns=(*config.channel_columns, placebo),
        media=config.media | own,
        priors=priors,
        scaling=scaling,
    )


def _longer(prior: PriorConfig, place: int, only: tuple[int, ...] | None) -> PriorConfig:
    """Return a prior with the value of a channel once more, if it has any."""
    if only is not None:
        if place not in only:
            return prior
        place = only.index(place)
    longer = {
        name: (*value, value[place]) if isinstance(value, tuple) else value
        for name, value in prior.parameters.items()
    }
    return replace(prior, parameters=longer)


PLACEBO = Battery(
    name=STAGE,
    question="Does it see through a channel that cannot have brought sales?",
    checks={"placebo_believed": "placebos believed"},
    run=lambda of: run_placebo(of.fitted, of.sampling, of.seed, of.watch),
    judge=placebo_checks,
    flags=frozenset({"believed"}),
)
