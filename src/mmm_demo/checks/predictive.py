"""Posterior predictive checks: whether the model makes sales like those it was fitted on."""

import numpy as np

from mmm_demo.checks.convergence import coverage
from mmm_demo.checks.gate import REQUIRED, Check

STAGE = "posterior_predictive"
COVERAGE_MIN = {50: 0.40, 80: 0.70}
# Two-sided. Of 600 correct worlds of 156 weeks the three p-values together flag 1.3 %; tails of a
# t with 3 degrees of freedom are seen in 63 %, a left-out wave of the noise's size in 90 %, a level
# shift of three times the noise in 96 %.
P_VALUE_MIN = 0.02
ADVICE = {
    "coverage": "the noise is underestimated: look for weeks that a missing control would explain",
    "p_maximum": "the largest sale is not one that the model makes: look for an unmodelled event",
    "p_largest_residual": "some weeks lie far outside the noise: name their events as controls",
    "p_lag1_residuals": "errors follow each other: add a trend, more seasonality or the missing "
    "control",
}


def predictive_checks(
    observed: np.ndarray,
    draws: np.ndarray,
    mean: np.ndarray,
    coverage_94_min: float = REQUIRED["coverage_94"][1],
    given: str = "",
) -> tuple[Check, ...]:
    """Judge posterior predictive draws by the weeks that the model was fitted on.

    The p-values are the posterior probabilities that sales which the model itself makes show at
    least as much of a feature as the observed ones, two-sided: the largest sale, the largest
    residual and the lag-1 autocorrelation of residuals. Residuals are taken from the mean of the
    same draw, so uncertainty about the parameters counts on both sides.

    All of them take the one-step law of the noise (`forms.kinds.Noise`): where residuals hang
    together, draws and mean are those of each week given the sales before it, so that what is
    judged is what was new in each week.

    Parameters
    ----------
    observed
        Sales, shape (week,).
    draws
        Posterior predictive sales, shape (sample, week), same units.
    mean
        The mean of these draws by sample, shape (sample, week), same units and samples.
    coverage_94_min
        Limit of the one required check among these.
    given
        What draws and mean take as known, in words.

    Returns
    -------
    tuple of Check
        `coverage_50`, `coverage_80`, `coverage_94`, `p_maximum`, `p_largest_residual` and
        `p_lag1_residuals`; NaN, which is not assessable, when a value is not finite.

    Raises
    ------
    ValueError
        When the shapes do not belong together or there is nothing to judge.
    """
    if draws.shape != mean.shape or draws.shape[1:] != observed.shape or not draws.size:
        raise ValueError(
            "draws and mean must have shape (sample, week) and observed (week,); got "
            f"{draws.shape}, {mean.shape} and {observed.shape}"
        )
    measured = all(np.isfinite(values).all() for values in (observed, draws, mean))
    coverages = [
        Check(
            name=f"coverage_{level}",
            stage=STAGE,
            value=coverage(observed, draws, level / 100) if measured else float("nan"),
            comparison=">=",
            limit=limit,
            where=", ".join(filter(None, [f"share of weeks inside the {level} % interval", given])),
            advice=ADVICE["coverage"],
        )
        for level, limit in (COVERAGE_MIN | {94: coverage_94_min}).items()
    ]
    values = _p_values(observed, draws, mean) if measured else {}
    places = _places(observed, mean) if measured else {}
    features = [name for name in ADVICE if name.startswith("p_")]
    p_values = [
        Check(
            name,
            STAGE,
            values.get(name, float("nan")),
            ">=",
            P_VALUE_MIN,
            places.get(name, ""),
            ADVICE[name],
        )
        for name in features
    ]
    return (*coverages, *p_values)


def _places(observed: np.ndarray, mean: np.ndarray) -> dict[str, str]:
    """Name the weeks that the two extremes are about."""
    far = np.abs(observed - mean.mean(axis=0))
    weeks = {"p_maximum": observed.argmax(), "p_largest_residual": far.argmax()}
    return {name: f"week {int(week) + 1} of {len(observed)}" for name, week in weeks.items()}


def _p_values(observed: np.ndarray, draws: np.ndarray, mean: np.ndarray) -> dict[str, float]:
    made, found = draws - mean, observed - mean
    return {
        "p_maximum": _two_sided(draws.max(axis=1), observed.max()),
        "p_largest_residual": _two_sided(np.abs(made).max(axis=1), np.abs(found).max(axis=1)),
        "p_lag1_residuals": _two_sided(_lag1(made), _lag1(found)),
    }


def _two_sided(made: np.ndarray, found: np.ndarray | float) -> float:
    p = float((made >= found).mean())
    return 2 * min(p, 1 - p)


def _lag1(residuals: np.ndarray) -> np.ndarray:
    """Return the lag-1 autocorrelation of each row."""
    centred = residuals - residuals.mean(axis=1, keepdims=True)
    return (centred[:, 1:] * centred[:, :-1]).sum(axis=1) / (centred**2).sum(axis=1)
