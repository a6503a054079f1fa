"""Two fits of one config: are their draws equal, how far do they differ, and what could be why."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from statistics import NormalDist
from typing import Any

import arviz as az
import numpy as np
import xarray as xr

from mmm_demo.checks.convergence import convergence_checks, labelled
from mmm_demo.checks.gate import NOT_ASSESSABLE
from mmm_demo.settings.limits import GateConfig

EQUAL, SAME, ANOTHER = "equal bit for bit", "same posterior", "another posterior"
NOT_RECORDED = "not recorded"
FALSE_ALARM = 0.01  # how often two honest fits of one posterior may be called different
NEEDED = ("rhat_max", "ess_bulk_min")  # without these, Monte Carlo errors mean nothing
NAN = float("nan")


@dataclass(frozen=True)
class Distance:
    """How far two posteriors of the same parameters are apart.

    Attributes
    ----------
    equal
        Whether every draw has the same bits, as it is stored.
    sds
        Largest difference of a parameter's mean, in posterior standard deviations of the first.
    errors
        Largest difference of a parameter's mean or spread, in Monte Carlo standard errors.
    limit
        Largest number of errors that chance alone explains, over all that was compared.
    where
        Parameter with the most errors.
    fault
        Why the distance could not be measured; empty where it could.
    """

    equal: bool
    sds: float = NAN
    errors: float = NAN
    limit: float = NAN
    where: str = ""
    fault: str = ""


@dataclass(frozen=True)
class Change:
    """Something that is not as it was.

    Attributes
    ----------
    what, then, now
        Its name, and its value at the fit and at the reproduction.
    explains
        Whether other draws could come from it.
    """

    what: str
    then: str
    now: str
    explains: bool = True

    def __str__(self) -> str:
        """Say the difference in one line."""
        return f"{self.what}: {self.then} then, {self.now} now"


@dataclass(frozen=True)
class Reproduction:
    """What came of fitting a run again.

    Attributes
    ----------
    fit_run
        The run that was fitted again.
    distance
        Between its draws and the new ones.
    differences
        All that is not as it was.
    """

    fit_run: str
    distance: Distance
    differences: tuple[Change, ...]

    @property
    def result(self) -> str:
        """One of `EQUAL`, `SAME`, `ANOTHER`, `NOT_ASSESSABLE`."""
        if self.distance.equal:
            return EQUAL
        if not np.isfinite([self.distance.errors, self.distance.limit]).all():
            return NOT_ASSESSABLE
        return SAME if self.distance.errors <= self.distance.limit else ANOTHER

    @property
    def reasons(self) -> tuple[Change, ...]:
        """What could explain that the draws differ; empty for equal draws."""
        if self.distance.equal:
            return ()
        return tuple(item for item in self.differences if item.explains)

    @property
    def reproduced(self) -> bool:
        """Whether the fit holds: equal draws, or the same posterior with a reason for other draws.

        Other draws for no reason that is recorded mean that something goes unrecorded.
        """
        return self.distance.equal or (self.result == SAME and bool(self.reasons))

    def sentences(self) -> list[str]:
        """Say result, distance and reasons."""
        return [f"{self._verdict()}.", *([] if self.distance.equal else [self._why()])]

    def rows(self) -> list[tuple[str, str, str, str]]:
        """Return what differs as rows: name, then, now, whether it can change draws."""
        return [
            (item.what, item.then, item.now, "yes" if item.explains else "no")
            for item in self.differences
        ]

    def to_dict(self) -> dict[str, Any]:
        """Return plain values, as JSON takes them: what was not measured is None."""
        distance = {
            name: None if isinstance(value, float) and not np.isfinite(value) else value
            for name, value in asdict(self.distance).items()
        }
        return {
            "fit_run": self.fit_run,
            "result": self.result,
            "reproduced": self.reproduced,
            "distance": distance,
            "reasons": [str(item) for item in self.reasons],
            "differences": [asdict(item) for item in self.differences],
        }

    def _verdict(self) -> str:
        if self.result == EQUAL:
            return "The draws are equal bit for bit"
        if self.result == NOT_ASSESSABLE:
            return f"The draws differ, and how far is {NOT_ASSESSABLE}: {self.distance.fault}"
        which = "still the same posterior" if self.result == SAME else "ANOTHER POSTERIOR"
        return (
            f"The draws differ, {which}: the largest difference is {self.distance.errors:.2g} "
            f"Monte Carlo errors at {self.distance.where} (chance explains "
            f"{self.distance.limit:.2g}); means differ by at most {self.distance.sds:.2g} "
            "posterior standard deviations"
        )

    def _why(self) -> str:
        if self.reasons:
            return "What could be why: " + "; ".join(str(item) for item in self.reasons) + "."
        return "Nothing that the run recorded differs, so why the draws differ is not known."


def changed(then: Mapping[str, str], now: Mapping[str, str]) -> tuple[Change, ...]:
    """Compare circumstances by name; one that was not recorded explains nothing.

    Parameters
    ----------
    then, now
        Values by name, at the fit and at the reproduction.
    """
    if not then:  # said once
        return (Change("versions and machine", NOT_RECORDED, "known", explains=False),)
    return tuple(
        Change(name, then.get(name, NOT_RECORDED), value, explains=name in then)
        for name, value in now.items()
        if then.get(name) != value
    )


def compare_draws(
    first: xr.DataTree, again: xr.DataTree, parameters: Mapping[str, int]
) -> Distance:
    """Compare two traces of the same parameters, as they are stored.

    Parameters
    ----------
    first, again
        Traces with the groups posterior (dims chain, draw, ...) and sample_stats.
    parameters
        Free parameters with their number of values.
    """
    one, other = first["posterior"].to_dataset(), again["posterior"].to_dataset()
    if same_bits(one, other):
        return Distance(equal=True, sds=0.0, errors=0.0)
    for which, trace in (("the first fit", first), ("the new fit", again)):
        if fault := _unsettled(trace, parameters):
            return Distance(equal=False, fault=f"{which} did not settle: {fault}")
    if bad := [str(name) for name in parameters if not _alike(one[name], other[name])]:
        return Distance(equal=False, fault=f"{bad[0]} belongs to other items than before")
    return _measure(one, other)


def _alike(one: xr.DataArray, other: xr.DataArray) -> bool:
    """Whether two parameters have the same items, in the same order; draws may be more or less."""
    items = [{dim: list(item[dim].values) for dim in item.dims[2:]} for item in (one, other)]
    return one.dims == other.dims and items[0] == items[1]


def same_bits(one: xr.Dataset, other: xr.Dataset) -> bool:
    """Whether two posteriors hold the same finite draws; an empty one equals nothing."""
    if not one.data_vars or set(one.data_vars) != set(other.data_vars):
        return False
    return all(_same_bits(one[name], other[name]) for name in one.data_vars)


def _same_bits(one: xr.DataArray, other: xr.DataArray) -> bool:
    a, b = one.to_numpy(), other.to_numpy()
    alike = one.dims == other.dims and a.shape == b.shape and a.dtype == b.dtype
    return alike and a.size > 0 and bool(np.isfinite(a).all()) and a.tobytes() == b.tobytes()


def _unsettled(trace: xr.DataTree, parameters: Mapping[str, int]) -> str:
    checks = convergence_checks(trace, parameters, GateConfig(), chains_asked=1)
    failed = [check for check in checks if check.name in NEEDED and not check.passed]
    return "; ".join(str(check) for check in failed)


def _measure(one: xr.Dataset, other: xr.Dataset) -> Distance:
    """Compare means and spreads, in the units of the first posterior."""
    mean, sd = one.mean(("chain", "draw")), one.std(("chain", "draw"))
    standard = [(item - mean) / sd for item in (one, other)]
    sizes, errors = _gaps(*standard)
    _, spreads = _gaps(*(item**2 for item in standard))
    errors |= {f"the spread of {name}": value for name, value in spreads.items()}
    if bad := [name for name, value in errors.items() if not np.isfinite(value)]:
        return Distance(equal=False, fault=f"{bad[0]} has no Monte Carlo error")
    where = max(errors, key=lambda name: errors[name])
    # As many comparisons as there are errors: the more, the larger the largest by chance alone.
    limit = NormalDist().inv_cdf(1 - FALSE_ALARM / 2 / len(errors))
    sds = max(sizes.values())
    return Distance(equal=False, sds=sds, errors=errors[where], limit=limit, where=where)


def _gaps(one: xr.Dataset, other: xr.Dataset) -> tuple[dict[str, float], dict[str, float]]:
    """Return differences of means by parameter, as they are and in Monte Carlo errors."""
    sizes: dict[str, float] = {}
    errors: dict[str, float] = {}
    with np.errstate(invalid="ignore", divide="ignore"):  # constant draws: the result is NaN
        mcse = [az.mcse(item, method="mean") for item in (one, other)]
        for name in map(str, one.data_vars):
            gap = abs(one[name].mean(("chain", "draw")) - other[name].mean(("chain", "draw")))
            error = np.sqrt(mcse[0][name] ** 2 + mcse[1][name] ** 2)
            sizes |= labelled(name, gap)
            errors |= labelled(name, gap / error)
    return sizes, errors
