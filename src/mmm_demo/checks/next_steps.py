"""What to try when no attempt to sample converged, in the order that helps.

Chosen by what was measured, and never what an attempt just did: after 2 divergences at a
target_accept of 0.98 and 19 at 0.99, a smaller step is no advice.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.checks.gate import FAILED, Check, GateReport
from mmm_demo.fits.ladder import Attempt
from mmm_demo.forms.registry import STORED_NAMES
from mmm_demo.settings.experiment import ModelConfig, SamplerConfig

ENTANGLED, ALIKE = 0.9, 0.8  # |correlation| of two parameters, and of two channels' spend
NAMED = 2  # pairs that a step names
ALWAYS_ON = 0.02  # share of weeks without spend below which a channel never pauses
SHORT = ("rhat_max", "ess_bulk_min", "ess_tail_min")  # what more draws alone may mend
SHORT_RHAT, SHORT_FACTOR = 1.05, 4.0  # as long as chains agree this well and draws lack this little
HALVED = 0.5  # fewer divergences than this part, and smaller steps are what helps
SMALLEST_STEPS = 0.995
LONG_LAG = 6  # weeks; a shorter carryover has fewer shapes to tell apart
Pair = tuple[str, str, float]


@dataclass(frozen=True)
class Tried:
    """An attempt to sample, and the convergence checks of its draws."""

    attempt: Attempt
    checks: GateReport


@dataclass(frozen=True)
class Ground:
    """What is measured where sampling did not converge.

    Attributes
    ----------
    sampler, lag
        Settings of the fit; its longest carryover in weeks.
    alike
        Channels whose spend correlates, with the correlation, the closest first.
    always_on
        Channels that never pause.
    entangled
        Parameters that the last attempt's draws tell only together, with their correlation.
    """

    sampler: SamplerConfig
    lag: int
    alike: tuple[Pair, ...] = ()
    always_on: tuple[str, ...] = ()
    entangled: tuple[Pair, ...] = ()


def ground_of(
    model: ModelConfig, sampler: SamplerConfig, table: pd.DataFrame, posterior: xr.Dataset
) -> Ground:
    """Measure what the steps are chosen by.

    Parameters
    ----------
    model, sampler, table
        Of the fit.
    posterior
        Draws of the last attempt.
    """
    spend = table[list(model.channel_columns)]
    paused = (spend.to_numpy() == 0).mean(axis=0)
    return Ground(
        sampler=sampler,
        lag=min(model.adstock_max_lag, model.longest_lag),
        alike=_pairs(spend.to_numpy(float), list(spend.columns), ALIKE),
        always_on=tuple(
            name for name, share in zip(spend.columns, paused, strict=True) if share < ALWAYS_ON
        ),
        entangled=_pairs(*_columns(posterior), ENTANGLED),
    )


def _columns(posterior: xr.Dataset) -> tuple[np.ndarray, list[str]]:
    """Return the draws of every single parameter, shape (sample, parameter), and its name."""
    draws, names = [], []
    written = {stored: name for name, stored in STORED_NAMES.items()}
    for stored, values in posterior.data_vars.items():
        flat = values.stack(sample=("chain", "draw")).transpose("sample", ...)
        name = written.get(str(stored), str(stored))
        items = [str(item) for item in flat[flat.dims[1]].values] if flat.ndim > 1 else []
        draws.append(flat.to_numpy().reshape(flat.sizes["sample"], -1))
        names += [f"{name}[{item}]" for item in items] or [name]
    return np.hstack(draws), names


def _pairs(values: np.ndarray, names: Sequence[str], least: float) -> tuple[Pair, ...]:
    """Return the pairs of columns that correlate by more than `least`, the closest first."""
    with np.errstate(invalid="ignore", divide="ignore"):  # a constant column correlates with none
        matrix = np.atleast_2d(np.corrcoef(values, rowvar=False))
    found = [
        (names[a], names[b], float(matrix[a, b]))
        for a, b in zip(*np.triu_indices(len(names), 1), strict=True)
        if abs(matrix[a, b]) > least
    ]
    return tuple(sorted(found, key=lambda pair: -abs(pair[2])))


def advised(report: GateReport, attempts: Sequence[Tried], ground: Ground) -> GateReport:
    """Return the last attempt's checks with advice that knows of all attempts.

    Each check that did not pass says what every attempt gave; the last of them also says what to
    do next, in order.

    Parameters
    ----------
    report
        Checks of the last attempt.
    attempts
        All of them, in order.
    ground
        What the steps are chosen by.
    """
    left = [check for check in report.failures if check.name != "chains"]
    if not left:
        return report
    advice = {check.name: _history(check.name, attempts) for check in left}
    told = steps(attempts, ground)
    if len(told) > 1:
        told = [f"({number}) {step}" for number, step in enumerate(told, 1)]
    order = ", in this order" if len(told) > 1 else ""
    advice[left[-1].name] += f". Next{order}: {'; '.join(told)}"
    return GateReport(
        tuple(
            replace(check, advice=advice[check.name]) if check in left else check
            for check in report.checks
        ),
        report.batteries,
    )


def _history(name: str, attempts: Sequence[Tried]) -> str:
    values = (f"{_value(of, name):.4g} ({of.attempt})" for of in attempts)
    return f"by attempt: {', '.join(values)}"


def _value(tried: Tried, name: str) -> float:
    found: list[Check] = [check for check in tried.checks.checks if check.name == name]
    return found[0].value if found else math.nan


def steps(attempts: Sequence[Tried], ground: Ground) -> list[str]:
    """Return what to try next, what helps most first; never what was tried.

    Parameters
    ----------
    attempts
        In order; the last one's checks did not all pass.
    ground
        What the steps are chosen by.
    """
    last = attempts[-1]
    failed = {check.name: check for check in last.checks.failures}
    left = list(failed.values())
    if set(failed) <= set(SHORT) and _is_short(last, left):
        return [_longer(last, left, ground.sampler)]
    smaller = list(_smaller_steps(attempts))
    found = [*smaller, *_structure(ground, failed)]
    sampler = ground.sampler
    found.append(f"raise tune from {sampler.tune} to {2 * sampler.tune}")
    if set(failed) & set(SHORT):
        found.append(f"raise draws from {sampler.draws} to {2 * sampler.draws}")
    return found


def _is_short(last: Tried, failed: Sequence[Check]) -> bool:
    """Whether the chains agree, and draws are all that is missing; unmeasured is not."""
    return _value(last, "rhat_max") < SHORT_RHAT and _lacking(failed) <= SHORT_FACTOR


def _lacking(failed: Sequence[Check]) -> float:
    """Return the factor of draws by which effective sample sizes fall short."""
    sizes = [check for check in failed if check.name != "rhat_max"]
    factors = [check.limit / check.value if check.value else math.inf for check in sizes]
    return float(np.max([1.0, *factors]))  # NaN stays NaN


def _longer(last: Tried, failed: Sequence[Check], sampler: SamplerConfig) -> str:
    agree = not _value(last, "rhat_max") < 1.01
    factor = max(1.3 * _lacking(failed), 2.0 if agree else 1.0)
    draws = 500 * math.ceil(factor * sampler.draws / 500)
    tune = f" and tune from {sampler.tune} to {2 * sampler.tune}" if agree else ""
    return f"raise draws from {sampler.draws} to {draws}{tune}"


def _smaller_steps(attempts: Sequence[Tried]) -> Iterator[str]:
    first, last = (_value(attempts[end], "divergences") for end in (0, -1))
    highest = max(of.attempt.target_accept for of in attempts)
    if not last > 0 or highest >= SMALLEST_STEPS:
        return
    if len(attempts) == 1:
        yield f"raise target_accept from {highest:g} to {SMALLEST_STEPS:g}"
    elif last < HALVED * first:
        yield (
            f"raise target_accept to {SMALLEST_STEPS:g}: from the first to the last attempt "
            f"({highest:g}) divergences fell from {first:g} to {last:g}"
        )


def _structure(ground: Ground, failed: dict[str, Check]) -> Iterator[str]:
    """Yield what makes the posterior easier: fewer things to tell apart, or better told."""
    for first, second, correlation in ground.alike[:NAMED]:
        yield (
            f"make one channel of {first} and {second}, whose spend moves together (correlation "
            f"{correlation:.2f}), with data.groups, or calibrate one of them with a lift test"
        )
    for first, second, correlation in ground.entangled[:NAMED]:
        yield (
            f"narrow the prior of {first} or {second}, which the data tell only together "
            f"(correlation of their draws {correlation:.2f})"
        )
    if ground.always_on and not ground.entangled:
        yield (
            f"narrow the priors of intercept and saturation_beta: {', '.join(ground.always_on)} "
            "never paused, so the data do not show sales without"
        )
    measured = [failed[name] for name in SHORT if name in failed and failed[name].status == FAILED]
    places = [check.where for check in measured if check.where]
    if places and not ground.entangled:
        named = STORED_NAMES.items()
        place = next((name for name, stored in named if places[0] == stored), places[0])
        yield f"narrow the prior of {place}, which the chains agree on least"
    if ground.lag > LONG_LAG:
        yield f"shorten adstock_max_lag from {ground.lag} to {max(LONG_LAG, ground.lag // 2)}"
