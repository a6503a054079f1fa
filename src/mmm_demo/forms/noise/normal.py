"""Normal noise, as strong in every week."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import MakePrior, Noise
from mmm_demo.forms.parameter import POSITIVE, Parameter

SIGMA = Parameter(
    "y_sigma",
    "scale of a week's sales around their mean; of normal noise their standard deviation",
    POSITIVE,
    ("HalfNormal", {"sigma": 0.15}),
    in_sales=True,
)


class Normal(Noise):
    """Normal, as strong in every week."""

    name = "normal"
    words = "normal noise"
    distribution = "Normal"
    parameters = (SIGMA,)

    def draw(self, mean: np.ndarray, rng: np.random.Generator, sigma: np.ndarray) -> np.ndarray:
        """Draw sales, shape of `mean` (..., week)."""
        return mean + rng.normal(size=mean.shape) * sigma

    def log_density(self, observed: np.ndarray, mean: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        """Return the log density of observed sales, shape of `mean` (..., week)."""
        return -0.5 * ((observed - mean) / sigma) ** 2 - np.log(sigma * np.sqrt(2 * np.pi))

    def spread(self, sigma: np.ndarray) -> np.ndarray:
        """Return the standard deviation, shape of the parameter."""
        return sigma

    def law(self, observed: Any, mean: Any, sigma: Any) -> dict[str, Any]:
        """Return what the graph's distribution is made of."""
        return {"mu": mean, "sigma": sigma}

    def graph(self, prior: MakePrior) -> Any:
        """Return the likelihood as PyMC-Marketing takes it."""
        from pymc_extras.prior import Prior

        return Prior("Normal", sigma=prior(SIGMA), dims="date")
