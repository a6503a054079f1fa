"""What a flag may be mended by: settings of this version's forms, or nothing but an experiment.

A remedy is offered where the registry of forms, or the experiment's own settings, know it. None is
a proof: `mmm-demo improve` fits them and holds them against the fit as it is.
"""

import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from mmm_demo.checks.gate import FAILED, Check
from mmm_demo.forms.registry import FORMS
from mmm_demo.settings.changes import Place, Settings, told
from mmm_demo.settings.experiment import ModelConfig

TOGETHER = ("p_lag1_residuals", "residual_cusum")  # residuals hang together
MEMORY = "residual_memory"  # what is told of these where the noise allows it
# What spend was, or what nobody named, decides these: no other model of the same weeks answers.
EXPERIMENT_ONLY = (
    MEMORY,
    "prior_driven_share",
    "roas_correlation_min",
    "spend_follows_demand",
    "p_future_spend",
)
LONGEST_LAG = 52
SEEN_LAG = 13  # weeks that a model must know for the latest lag that `p_later_lags` looks at
FITS_THEM = "mmm-demo improve fits them"
# Flags whose week a person may know the reason of.
OF_WEEKS = ("p_largest_residual", "p_maximum", "pareto_k_max", "residual_cusum")
NUMBERED = re.compile(r"week (\d+) of \d+")
DATED = re.compile(r"\d{4}-\d{2}-\d{2}")


@dataclass(frozen=True)
class Remedy:
    """Settings that may clear a flag.

    Attributes
    ----------
    settings
        Values by place in the experiment.
    """

    settings: Settings

    def __str__(self) -> str:
        """Say it as it is written in an experiment."""
        return told(self.settings)


def remedies(check: Check, model: ModelConfig) -> tuple[Remedy, ...]:
    """Return what may clear a flag, what is most likely to first.

    Parameters
    ----------
    check
        Any check; one that passed or could not be assessed has no remedy.
    model
        As it was fitted.
    """
    find = _BY_FLAG.get(check.name)
    if find is None or check.status != FAILED:
        return ()
    return tuple(Remedy(settings) for settings in find(check, model))


def candidates(checks: Sequence[Check], model: ModelConfig) -> list[Settings]:
    """Return what to fit for several flags: each remedy alone, and the first of each together.

    What is most likely to help comes first: the first remedy of each flag, these together, then
    each flag's second remedy, and so on.
    """
    offers = [
        [of.settings for of in found] for check in checks if (found := remedies(check, model))
    ]
    ranks = [[of[rank] for of in offers if rank < len(of)] for rank in range(_longest(offers))]
    together: dict[Place, Any] = {}
    for settings in ranks[0] if ranks else []:
        if not together.keys() & settings.keys():  # of two values for one place the first stays
            together |= settings
    ordered = [*ranks[:1], [together], *ranks[1:]] if ranks else []
    found: list[Settings] = []
    for settings in itertools.chain.from_iterable(ordered):
        if settings not in found:
            found.append(settings)
    return found


def _longest(offers: Sequence[Sequence[Settings]]) -> int:
    return max(map(len, offers), default=0)


def with_remedies(checks: Sequence[Check], model: ModelConfig) -> tuple[Check, ...]:
    """Return checks whose advice names the settings that may clear them."""
    return tuple(_advised(check, model) for check in checks)


def _advised(check: Check, model: ModelConfig) -> Check:
    found = [str(remedy) for remedy in remedies(check, model)]
    if not found:
        return check
    try_these = f"try {' or '.join(found)} ({FITS_THEM})"
    return replace(check, advice="; ".join(filter(None, [check.advice, try_these])))


def _later(check: Check, model: ModelConfig) -> Iterator[Settings]:
    entry = model.media.get(check.where)
    own = entry and entry.max_lag
    lag = own or model.adstock_max_lag
    if lag < LONGEST_LAG:
        longer = SEEN_LAG if lag < SEEN_LAG else min(2 * lag, LONGEST_LAG)
        place = ("model", "media", check.where, "max_lag") if own else ("model", "adstock_max_lag")
        yield {place: longer}
    yield from _of_channel(check, model, "adstock", ("delayed",))


def _curve(check: Check, model: ModelConfig) -> Iterator[Settings]:
    forms = ("hill", "michaelis_menten")
    yield from _of_channel(check, model, "saturation", forms)
    for form in forms:
        yield from _form(model, "saturation", form)


def _together(check: Check, model: ModelConfig) -> Iterator[Settings]:
    yield from _form(model, "baseline", "drift")
    yield from _form(model, "baseline", "trend")
    if not model.autocorrelation:
        yield {("model", "autocorrelation"): True}


def _extreme(check: Check, model: ModelConfig) -> Iterator[Settings]:
    yield from _form(model, "noise", "student_t")


def _drifting(check: Check, model: ModelConfig) -> Iterator[Settings]:
    yield from _form(model, "baseline", "drift")


def _form(model: ModelConfig, kind: str, name: str) -> Iterator[Settings]:
    """Yield another form of the whole model, where there is one and the model has it not yet."""
    if name in FORMS[kind] and getattr(model, kind) != name:
        yield {("model", kind): name}


def _of_channel(
    check: Check, model: ModelConfig, kind: str, names: Sequence[str]
) -> Iterator[Settings]:
    """Yield another form of the channel that a check names."""
    if check.where not in model.channel_columns:
        return
    entry = model.media.get(check.where)
    own = (entry and getattr(entry, kind)) or getattr(model, kind)
    for name in names:
        if name in FORMS[kind] and name != own:
            yield {("model", "media", check.where, kind): name}


_BY_FLAG: dict[str, Callable[[Check, ModelConfig], Iterator[Settings]]] = {
    "p_later_lags": _later,
    "p_other_curve": _curve,
    "p_lag1_residuals": _together,
    "residual_cusum": _together,
    "p_largest_residual": _extreme,
    "p_maximum": _extreme,
    "pareto_k_max": _extreme,
    "p_drifting_effect": _drifting,
}


def event_lines(checks: Sequence[Check], weeks: np.ndarray) -> list[str]:
    """Return lines of a CSV of events for the weeks that flags name, without the reason.

    What happened there is the user's to say: a machine that names events by their residuals would
    explain any week away.

    Parameters
    ----------
    checks
        Flags.
    weeks
        First days, shape (week,).

    Returns
    -------
    list of str
        `name,start,end` lines.
    """
    days = [_day(check.where, weeks) for check in checks if check.name in OF_WEEKS]
    found = sorted({day for day in days if day is not None})
    return [f"what_happened,{day:%Y-%m-%d},{day + pd.Timedelta(days=6):%Y-%m-%d}" for day in found]


def _day(where: str, weeks: np.ndarray) -> pd.Timestamp | None:
    if dated := DATED.search(where):
        return pd.Timestamp(dated[0])
    numbered = NUMBERED.search(where)
    if numbered and 0 < int(numbered[1]) <= len(weeks):
        return pd.Timestamp(weeks[int(numbered[1]) - 1])
    return None
