"""Which candidates are fitted for a fit's flags: two rounds at most, the second around the best."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from mmm_demo.checks.gate import Check
from mmm_demo.checks.remedies import EXPERIMENT_ONLY, candidates
from mmm_demo.evidence.improve import Tried, recommend
from mmm_demo.settings.changes import Settings, changed, told
from mmm_demo.settings.experiment import ExperimentConfig, free_parameters
from mmm_demo.settings.run_schema import Say
from mmm_demo.sweeps.candidate import Judged

ROUNDS, MOST = 2, 6  # rounds, and candidates of each


@dataclass(frozen=True)
class Outcome:
    """A candidate that was fitted, and how it was judged.

    Attributes
    ----------
    tried
        What the recommendation is made of.
    judged
        Every check, ROAS and forecast.
    """

    tried: Tried
    judged: Judged

    @classmethod
    def of(cls, settings: Settings, base: ExperimentConfig, judged: Judged) -> "Outcome":
        """Return the outcome of settings that differ from the experiment as it is."""
        given = {} if judged.roas.empty else {"roas": judged.roas, "forecast": judged.forecast}
        tried = Tried(
            settings=settings,
            parameters=0 if judged.fault else _parameters(base, settings),
            flags=frozenset(check.name for check in judged.report.flags),
            refused=judged.refused,
            seconds=judged.seconds,
            **given,
        )
        return cls(tried, judged)


def _parameters(base: ExperimentConfig, settings: Settings) -> int:
    return sum(free_parameters(changed(base, settings).model).values())


# Fits all settings of a round, given its number from 1, and returns their outcomes in that order.
FitAll = Callable[[int, Sequence[Settings]], list[Outcome]]


def try_remedies(
    base: ExperimentConfig, flags: Sequence[Check], fit_all: FitAll, say: Say
) -> list[Outcome]:
    """Fit the remedies of flags beside the fit as it is, then what is left around the best.

    Parameters
    ----------
    base
        Experiment of the fit as it is, with its scaling.
    flags
        Of that fit.
    fit_all
        Fits a round.
    say
        Is told what is not tried.

    Returns
    -------
    list of Outcome
        The fit as it is first; empty where no remedy is known, and nothing was fitted.
    """
    outcomes: list[Outcome] = []
    asked = candidates(flags, base.model)
    for number in range(1, ROUNDS + 1):
        if not asked:
            break
        for settings in asked[MOST:]:
            say(f"not tried, as a round has {MOST} candidates: {told(settings)}")
        whole = asked[:MOST] if outcomes else [{}, *asked[:MOST]]
        outcomes += fit_all(number, whole)
        outcomes[0] = _as_flagged(outcomes[0], flags)
        asked = _around_best(base, outcomes)
    return outcomes


def _as_flagged(first: Outcome, flags: Sequence[Check]) -> Outcome:
    """Return the fit as it is with what only an experiment can clear, as it was told before."""
    kept = {check.name for check in flags} & {*EXPERIMENT_ONLY}
    return replace(first, tried=replace(first.tried, flags=first.tried.flags | kept))


def _around_best(base: ExperimentConfig, outcomes: Sequence[Outcome]) -> list[Settings]:
    """Return what may clear what is left of the simplest fit with the fewest flags."""
    clearing = recommend([of.tried for of in outcomes]).clearing
    if not clearing:
        return []
    best = outcomes[clearing[0]]
    known = [of.tried.settings for of in outcomes]
    left = candidates(best.judged.report.flags, changed(base, best.tried.settings).model)
    more = [{**best.tried.settings, **settings} for settings in left]
    return [settings for settings in more if settings not in known]
