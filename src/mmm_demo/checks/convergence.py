"""Measure, then judge: prior check, convergence, predictive fit, decomposition."""

import math
from collections.abc import Iterator, Mapping

import arviz as az
import numpy as np
import xarray as xr

from mmm_demo.checks.gate import Check
from mmm_demo.fits.fitted import Decomposition
from mmm_demo.settings.experiment import GateConfig

MORE_DRAWS = "raise draws, or simplify the model: see the worst parameter's trace plot"
HARD_TAILS = "the sampler cannot move through the tails; tighten or reparameterise the priors"
CUT_SHORT = "draws are cut short; look for parameters that the data cannot tell apart"
MIN_DRAWS = 4  # fewer cannot be split into halves, which R-hat and ESS do


def prior_check(draws: np.ndarray, observed: np.ndarray, limits: GateConfig) -> Check:
    """Judge whether the priors allow mainly sales that are possible.

    Parameters
    ----------
    draws
        Sales drawn from the prior, shape (sample, week), original units.
    observed
        Observed sales, shape (week,).
    """
    ceiling = limits.prior_extreme_multiple * np.max(observed)
    possible = (draws >= 0) & (draws <= ceiling)  # written so that NaN counts as impossible
    return Check.required(
        "prior_extreme_share",
        (~possible).mean() if draws.size else float("nan"),
        limit=limits.prior_extreme_share_max,
        where=f"negative or above {limits.prior_extreme_multiple:g} times the largest sale",
        advice="tighten the priors of intercept, saturation_beta, gamma_control and gamma_fourier",
    )


def convergence_checks(
    trace: xr.DataTree,
    parameters: Mapping[str, int],
    limits: GateConfig,
    chains_asked: int,
) -> tuple[Check, ...]:
    """Judge the sampler's work over exactly the sampled free parameters.

    Parameters
    ----------
    trace
        Trace as it is stored.
    parameters
        Free parameters that must be there, with their number of values.
    limits
        Limits of the gate.
    chains_asked
        Chains that the config asked for; fewer fail.
    """
    sampled = "posterior" in trace.children
    posterior = trace["posterior"].to_dataset() if sampled else xr.Dataset()
    rhat = _worst(posterior, parameters, "rhat")
    bulk = _worst(posterior, parameters, "ess_bulk")
    tail = _worst(posterior, parameters, "ess_tail")
    divergences, where = _divergences(trace, posterior)
    bfmi, worst_chain = _bfmi(trace, posterior)
    cut, missing = _max_depth_share(trace, posterior)
    chains = float(_distinct_chains(posterior))
    wanted = max(limits.chains_min, chains_asked)
    found = [
        ("rhat_max", *rhat, "raise tune and draws", limits.rhat_max),
        ("ess_bulk_min", *bulk, MORE_DRAWS, limits.ess_bulk_min),
        ("ess_tail_min", *tail, MORE_DRAWS, limits.ess_tail_min),
        ("divergences", divergences, where, "raise target_accept", limits.divergences_max),
        ("chains", chains, "", f"sample at least {wanted} chains", wanted),
        ("bfmi_min", bfmi, worst_chain, HARD_TAILS, limits.bfmi_min),
        ("max_depth_share", cut, missing, CUT_SHORT, limits.max_depth_share_max),
    ]
    return tuple(Check.required(*one) for one in found)


def _worst(posterior: xr.Dataset, parameters: Mapping[str, int], measure: str) -> tuple[float, str]:
    """Return the worst value of a measure and its parameter; NaN when anything is unmeasured."""
    if fault := _fault(posterior, parameters):
        return float("nan"), fault
    measured = _measure(posterior, measure)
    found = [pair for name in parameters for pair in labelled(name, measured[name])]
    for label, value in found:
        if not np.isfinite(value):  # a constant parameter: R-hat is NaN, and max() skips it
            return float("nan"), f"{label} (not measurable)"
    label, value = (max if measure == "rhat" else min)(found, key=lambda pair: pair[1])
    return value, label


def _fault(posterior: xr.Dataset, parameters: Mapping[str, int]) -> str:
    """Say why a posterior cannot be measured; empty when it can."""
    if not parameters:
        return "no parameter to judge"
    sampled = {str(name) for name in posterior.data_vars}
    if missing := sorted(set(parameters) - sampled):
        return f"{missing[0]} (missing)"
    if unknown := sorted(sampled - set(parameters)):
        return f"{unknown[0]} (not a parameter of the model)"
    drawn = tuple(posterior.sizes.get(dim, 0) for dim in ("chain", "draw"))
    if drawn[0] < 2 or drawn[1] < MIN_DRAWS:
        return f"{drawn[0]} chain(s) of {drawn[1]} draws (at least 2 of {MIN_DRAWS})"
    for name, size in parameters.items():
        draws = posterior[name].transpose("chain", "draw", ..., missing_dims="ignore")
        if draws.shape[:2] != drawn or math.prod(draws.shape[2:]) != size:
            return f"{name} (shape {draws.shape}, wanted {size} values in each of {drawn} draws)"
        if not np.isfinite(draws).all():
            return f"{name} (draws that are not finite)"
    return ""


def _measure(posterior: xr.Dataset, measure: str) -> xr.Dataset:
    with np.errstate(invalid="ignore", divide="ignore"):  # constant draws: the result is NaN
        if measure == "rhat":
            return az.rhat(posterior)
        return az.ess(posterior, method=measure.removeprefix("ess_"))


def labelled(name: str, values: xr.DataArray) -> Iterator[tuple[str, float]]:
    """Yield what was measured of each value of a parameter, e.g. of `adstock_alpha[TV]`."""
    for index in np.ndindex(values.shape):
        inside = [str(values[dim].values[i]) for dim, i in zip(values.dims, index, strict=True)]
        yield f"{name}[{', '.join(inside)}]" if inside else name, float(values[index])


def _divergences(trace: xr.DataTree, posterior: xr.Dataset) -> tuple[float, str]:
    if "sample_stats" not in trace.children or "diverging" not in trace["sample_stats"]:
        return float("nan"), "sample_stats.diverging (missing: not a NUTS result)"
    diverging = trace["sample_stats"]["diverging"]
    sampled = tuple(posterior.sizes.get(dim) for dim in ("chain", "draw"))
    if diverging.shape != sampled:
        return float("nan"), f"sample_stats.diverging has shape {diverging.shape}, not {sampled}"
    return float((diverging != 0).sum()), ""  # NaN counts as a divergence


def _distinct_chains(posterior: xr.Dataset) -> int:
    """Count chains that differ; a copy of a chain is no second one, though R-hat would like it."""
    draws = [
        posterior[name].transpose("chain", ...).to_numpy()
        for name in posterior.data_vars
        if "chain" in posterior[name].dims
    ]
    count = posterior.sizes.get("chain", 0)
    return len({tuple(values[chain].tobytes() for values in draws) for chain in range(count)})


def _statistic(trace: xr.DataTree, posterior: xr.Dataset, name: str) -> np.ndarray | None:
    """Return a sampler statistic of every draw, shape (chain, draw); None when there is none."""
    if "sample_stats" not in trace.children or name not in trace["sample_stats"]:
        return None
    values = trace["sample_stats"][name].to_numpy()
    sampled = (posterior.sizes.get("chain"), posterior.sizes.get("draw"))
    return values if values.shape == sampled else None


def _bfmi(trace: xr.DataTree, posterior: xr.Dataset) -> tuple[float, str]:
    """Return the worst chain's Bayesian fraction of missing information, and the chain."""
    energy = _statistic(trace, posterior, "energy")
    if energy is None or not energy.size or energy.shape[1] < MIN_DRAWS:
        return float("nan"), "sample_stats.energy (missing: not a NUTS result)"
    with np.errstate(invalid="ignore", divide="ignore"):  # constant energy: the result is NaN
        bfmi = np.atleast_1d(az.bfmi(energy))
    return float(bfmi.min()), f"chain {int(bfmi.argmin())}"  # min() of NumPy keeps NaN


def _max_depth_share(trace: xr.DataTree, posterior: xr.Dataset) -> tuple[float, str]:
    """Return the share of draws that were cut short at the largest tree depth."""
    reached = _statistic(trace, posterior, "maxdepth_reached")
    if reached is None or not reached.size or not np.isfinite(reached.astype(float)).all():
        return float("nan"), "sample_stats.maxdepth_reached (missing: not a NUTS result)"
    return float(np.mean(reached != 0)), ""


def decomposition_check(parts: Decomposition) -> Check:
    """Judge whether the parts add up to the model's mean, in every draw and week."""
    total = parts.non_media + parts.channels.sum("channel", skipna=False)
    # Each by itself: a sum over parts may skip a NaN among them.
    finite = all(
        np.isfinite(part).all() for part in (parts.channels, parts.controls, total, parts.mean)
    )
    mean = parts.mean.to_numpy()
    gap = np.abs(total.to_numpy() - mean).max() / np.abs(mean).max() if finite else np.nan
    return Check.required(
        "decomposition_gap",
        gap,
        where="largest gap between the parts' sum and the model's mean, as a share of the mean",
        advice="the model has a part that the decomposition does not know; report it as a fault",
    )


def negative_baseline_share(parts: Decomposition) -> float:
    """Return the share of week-draws in which sales without media would be negative."""
    return float((parts.non_media < 0).mean())


def predictive_metrics(observed: np.ndarray, draws: np.ndarray) -> dict[str, float]:
    """Measure how the model predicts the weeks it was fitted on, in original units.

    Parameters
    ----------
    observed
        Sales, shape (week,).
    draws
        Posterior predictive sales (`FittedModel.predictive`), shape (sample, week).

    Returns
    -------
    dict
        `mape` (share), `r2`, and the share of weeks inside the 50 % and 94 % intervals.
    """
    mean = draws.mean(axis=0)
    sold = observed != 0  # a week without sales has no percentage error
    residual = observed - mean
    return {
        "mape": float(np.abs(residual[sold] / observed[sold]).mean()),
        "r2": float(1 - (residual**2).sum() / ((observed - observed.mean()) ** 2).sum()),
        "coverage_50": coverage(observed, draws, 0.50),
        "coverage_94": coverage(observed, draws, 0.94),
    }


def coverage(observed: np.ndarray, draws: np.ndarray, level: float) -> float:
    """Return the share of weeks whose sales lie inside the central interval of the draws."""
    lower, upper = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return float(((observed >= lower) & (observed <= upper)).mean())
