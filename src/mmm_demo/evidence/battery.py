"""What a battery of refits is: a record of its own, and what all batteries have in common."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import pandas as pd

from mmm_demo.checks.gate import Check
from mmm_demo.evidence.refit import Refit, Refitter
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.settings.experiment import BudgetConfig
from mmm_demo.settings.limits import EvidenceConfig

UNCONVERGED_MAX = 0.2


@dataclass(frozen=True)
class Step:
    """One refit of a battery, done.

    Attributes
    ----------
    battery, number, total
        Which refit of which battery, counted from 1.
    name
        What was refitted, in words.
    refit
        Model and convergence.
    measured
        What it came to, by name.
    """

    battery: str
    number: int
    total: int
    name: str
    refit: Refit
    measured: Mapping[str, float]


Watch = Callable[[Step], None]


@dataclass(frozen=True)
class Examination:
    """A fit under examination.

    Attributes
    ----------
    fitted
        The fit.
    budget, sampling, seed
        What its plans are made for; number and draws of the refits; where they start.
    watch
        Is told of each refit.
    """

    fitted: FittedModel
    budget: BudgetConfig
    sampling: EvidenceConfig
    seed: int
    watch: Watch

    @cached_property
    def refitter(self) -> Refitter:
        """The fit's own model, for every battery that refits just this one."""
        return Refitter(self.fitted.config, self.fitted.table, self.sampling)


@dataclass(frozen=True)
class Battery:
    """A battery of refits: all that is particular to it.

    How it is drawn is `plots.evidence`'s, what is told of it on a page is `reports.card`'s; both
    have it under the same name.

    Attributes
    ----------
    name
        As users write it; one of `settings.batteries`. The stage of its checks.
    question
        What it answers.
    checks
        What its checks are called in words, by name.
    run
        Makes its refits and returns the rows that are stored. Raises `ValueError` where it cannot
        be run at all, which makes it not assessable.
    judge
        Judges stored rows. They may come from anywhere: what is missing or not finite passes
        nothing.
    flags
        Columns of the rows that are true or false, beside `converged`.
    """

    name: str
    question: str
    checks: Mapping[str, str]
    run: Callable[[Examination], pd.DataFrame]
    judge: Callable[[pd.DataFrame], tuple[Check, ...]]
    flags: frozenset[str] = field(default_factory=frozenset)


def assessable(checks: Iterable[Check], converged: Sequence[bool]) -> tuple[Check, ...]:
    """Return the checks, not assessable when more than 1 refit in 5 did not converge.

    Parameters
    ----------
    checks
        Of a battery, computed over the refits that converged.
    converged
        One for each refit of the battery.
    """
    bad = sum(not item for item in converged)
    if converged and bad <= UNCONVERGED_MAX * len(converged):
        return tuple(checks)
    why = f"{bad} of {len(converged)} refits did not converge"
    advice = "simplify the model or raise evidence.draws and evidence.tune"
    return tuple(replace(item, value=math.nan, where=why, advice=advice) for item in checks)
