"""Noise with heavy tails: Student's t, so that a few extreme weeks do not move the rest."""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Noise
from mmm_demo.forms.noise.normal import SIGMA
from mmm_demo.forms.parameter import POSITIVE, Parameter

LEAST = 2.0  # degrees of freedom from which on there is a standard deviation
# Half of the prior lies below 9.4 degrees of freedom, and 5 % above 40, where t is as good as
# normal: it asks neither for heavy tails nor against them.
TAIL = Parameter(
    "y_nu_above_2",
    "degrees of freedom above 2: few are heavy tails, many are as good as normal",
    POSITIVE,
    ("LogNormal", {"mu": 2.0, "sigma": 1.0}),
)


class StudentT(Noise):
    """Student's t, as strong in every week; `y_sigma` is its scale, not its standard deviation.

    Ordinary weeks tell the scale well; extreme ones alone tell by how much the standard deviation
    is larger. Degrees of freedom begin above 2, so that there is one.
    """

    name = "student_t"
    words = "noise with heavy tails (Student's t)"
    distribution = "StudentT"
    parameters = (SIGMA, TAIL)

    def draw(
        self, mean: np.ndarray, rng: np.random.Generator, sigma: np.ndarray, nu_above_2: np.ndarray
    ) -> np.ndarray:
        """Draw sales, shape of `mean` (..., week)."""
        return mean + rng.standard_t(nu_above_2 + LEAST, size=mean.shape) * sigma

    def log_density(
        self, observed: np.ndarray, mean: np.ndarray, sigma: np.ndarray, nu_above_2: np.ndarray
    ) -> np.ndarray:
        """Return the log density of observed sales, shape of `mean` (..., week)."""
        from scipy.special import gammaln

        nu = nu_above_2 + LEAST
        whole = gammaln((nu + 1) / 2) - gammaln(nu / 2) - np.log(np.pi * nu) / 2 - np.log(sigma)
        return whole - (nu + 1) / 2 * np.log1p(((observed - mean) / sigma) ** 2 / nu)

    def spread(self, sigma: np.ndarray, nu_above_2: np.ndarray) -> np.ndarray:
        """Return the standard deviation, shape of the parameters."""
        return sigma * np.sqrt((nu_above_2 + LEAST) / nu_above_2)

    def law(self, observed: Any, mean: Any, sigma: Any, nu_above_2: Any) -> dict[str, Any]:
        """Return what the graph's distribution is made of."""
        return {"mu": mean, "sigma": sigma, "nu": nu_above_2 + LEAST}
