"""Residuals that hang together from week to week (AR(1)), whatever noise is new in each week.

What is left of a week's residual in the next is `y_rho`; the rest is new, scattered as the noise
says. The first week comes from the stationary law: what is new in it is stretched by
1 / sqrt(1 - rho^2), which is that law exactly of normal noise, and in mean and standard deviation
of any other.
"""

from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Noise
from mmm_demo.forms.parameter import UNIT, Parameter

# Between 0.1 and 0.9 in 94 of 100: what controls and season leave out comes and goes over weeks.
# Not below 0: weeks that take from the next one alternate, which lags of spend or the season tell.
RHO = Parameter(
    "y_rho",
    "share of a week's residual that is left in the next",
    UNIT,
    ("Beta", {"alpha": 2.0, "beta": 2.0}),
)


class Autocorrelated(Noise):
    """AR(1) residuals with a stationary first week; the noise's own parameters say what is new.

    So `y_sigma` scatters what is new in a week, and residuals scatter by more (`spread`).
    """

    given = "each week given the sales before it"

    def __init__(self, new: Noise) -> None:
        self.new, self.name, self.distribution = new, new.name, new.distribution
        self.words = f"{new.words}, of which a part is left in the week after it (AR(1))"
        self.parameters = (*map(_of_what_is_new, new.parameters), RHO)

    def draw(
        self, mean: np.ndarray, rng: np.random.Generator, rho: np.ndarray, **new: np.ndarray
    ) -> np.ndarray:
        """Draw sales of weeks of which none is known, shape of `mean` (..., week)."""
        steps = self._steps(mean, rng, rho, new)
        return mean + _path(steps[..., 1:], rho, steps[..., :1])

    def draw_after(
        self,
        before: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        rho: np.ndarray,
        **new: np.ndarray,
    ) -> np.ndarray:
        """Draw sales of the weeks after one whose residual is known, shape of `mean`."""
        steps = self.new.draw(np.zeros_like(mean), rng, **new)
        return mean + _path(steps, rho, before)[..., 1:]

    def draw_each(
        self,
        observed: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        rho: np.ndarray,
        **new: np.ndarray,
    ) -> np.ndarray:
        """Draw sales of each week given those of the weeks before it, shape of `mean`."""
        expected = self.expected(observed, mean, rho=rho)
        return expected + self._steps(mean, rng, rho, new)

    def expected(
        self, observed: np.ndarray, mean: np.ndarray, rho: np.ndarray, **new: np.ndarray
    ) -> np.ndarray:
        """Return the mean of each week given the sales before it, shape of `mean`."""
        left = rho * (observed - mean)[..., :-1]
        return np.concatenate([mean[..., :1] + 0 * rho, mean[..., 1:] + left], axis=-1)

    def innovations(self, residuals: np.ndarray, rho: np.ndarray, **new: np.ndarray) -> np.ndarray:
        """Return what is new in each week, all alike: the first shrunk as it was stretched."""
        later = residuals[..., 1:] - rho * residuals[..., :-1]
        return np.concatenate([residuals[..., :1] / stretch(rho), later], axis=-1)

    def log_density(
        self, observed: np.ndarray, mean: np.ndarray, rho: np.ndarray, **new: np.ndarray
    ) -> np.ndarray:
        """Return the log density of each week given those before it, shape of `mean`."""
        found = self.innovations(observed - mean, rho=rho)
        density = self.new.log_density(found, np.zeros_like(found), **new)
        density[..., :1] -= np.log(stretch(rho))
        return density

    def spread(self, rho: np.ndarray, **new: np.ndarray) -> np.ndarray:
        """Return the standard deviation of residuals, shape of the parameters."""
        return self.new.spread(**new) * stretch(rho)

    def law(self, observed: Any, mean: Any, rho: Any, **new: Any) -> dict[str, Any]:
        """Return what the graph's distribution is made of: each week given those before it."""
        import pytensor.tensor as pt
        import pytensor.xtensor as ptx

        left = (observed - mean).values
        before = ptx.as_xtensor(pt.concatenate([pt.zeros(1), left[:-1]]), dims=mean.dims)
        is_first = ptx.as_xtensor(pt.eq(pt.arange(left.shape[0]), 0), dims=mean.dims)
        made = self.new.law(observed, mean + rho * before, **new)
        stretched = (1 - rho**2) ** -0.5
        return made | {"sigma": made["sigma"] * (1 + is_first * (stretched - 1))}

    def _steps(
        self, mean: np.ndarray, rng: np.random.Generator, rho: np.ndarray, new: dict[str, Any]
    ) -> np.ndarray:
        steps = self.new.draw(np.zeros(np.shape(mean)), rng, **new)
        steps[..., :1] *= stretch(rho)
        return steps


@cache
def autocorrelated(noise: Noise) -> Autocorrelated:
    """Return the same noise, of which a part is left in the week after it."""
    return Autocorrelated(noise)


def stretch(rho: np.ndarray) -> np.ndarray:
    """Return by how much residuals scatter more than what is new in a week."""
    return 1 / np.sqrt(1 - rho**2)


def _of_what_is_new(item: Parameter) -> Parameter:
    if not item.in_sales:
        return item
    return replace(item, meaning=f"{item.meaning}, of what is new in a week")


def _path(steps: np.ndarray, rho: np.ndarray, first: np.ndarray) -> np.ndarray:
    """Return residuals from a first one on, shape (..., 1 + week)."""
    shape = np.broadcast_shapes(steps[..., :1].shape, np.shape(rho), np.shape(first))
    path = np.empty((*shape[:-1], 1 + steps.shape[-1]))
    path[..., :1] = first
    for week in range(steps.shape[-1]):
        path[..., week + 1] = rho[..., 0] * path[..., week] + steps[..., week]
    return path
