"""Forms that the package does not have: one class each, as a new file of `forms` would hold."""

from typing import Any

import numpy as np
from scipy import special

from mmm_demo.forms.adstock.geometric import RETENTION
from mmm_demo.forms.graphs import own_saturation
from mmm_demo.forms.kinds import Adstock, MakePrior, Noise, Saturation
from mmm_demo.forms.noise.normal import SIGMA
from mmm_demo.forms.parameter import CHANNEL, POSITIVE, Parameter
from mmm_demo.forms.saturation.logistic import SHARED

PEAK = Parameter(
    "adstock_theta", "week that works most", POSITIVE, ("HalfNormal", {"sigma": 1.0}), CHANNEL
)


class Delayed(Adstock):
    """Spend that works most some weeks later. PyMC-Marketing's own class is not used."""

    name = "delayed"
    parameters = (RETENTION, PEAK)

    def weights(self, lags: np.ndarray, alpha: np.ndarray, theta: np.ndarray) -> np.ndarray:
        return alpha ** ((lags - theta) ** 2)

    def graph_weights(self, lags: Any, weeks: Any, alpha: Any, theta: Any) -> Any:
        return alpha ** ((lags - theta) ** 2)


SLOPE = Parameter(
    "saturation_slope",
    "steepness",
    POSITIVE,
    ("Gamma", {"alpha": 4.0, "beta": 2.0}),
    CHANNEL,
)


class Hill(Saturation):
    """Hill's curve with a slope of its own for each channel."""

    name = "hill"
    parameters = (*SHARED, SLOPE)
    concave = False

    def curve(self, x: np.ndarray, slope: np.ndarray) -> np.ndarray:
        return x**slope / (x**slope + 1)

    def slope(self, x: np.ndarray, reached: np.ndarray, slope: np.ndarray) -> np.ndarray:
        return slope * x ** (slope - 1) * (1 - reached) ** 2

    def graph(self) -> Any:
        def response(x: Any, lam: Any, beta: Any, slope: Any) -> Any:
            power = (lam * x) ** slope
            return beta * power / (power + 1)

        return own_saturation(self, response)


class Root(Saturation):
    """A power of spend: it has neither the rate nor a bound."""

    name = "root"
    parameters = (
        SHARED[1],
        Parameter(
            "saturation_alpha", "power", POSITIVE, ("Gamma", {"alpha": 5.0, "beta": 9.0}), CHANNEL
        ),
    )
    concave = False

    def curve(self, x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return x**alpha

    def slope(self, x: np.ndarray, reached: np.ndarray, alpha: np.ndarray) -> np.ndarray:
        return alpha * x ** (alpha - 1)

    def graph(self) -> Any:
        return own_saturation(self, lambda x, beta, alpha: beta * x**alpha)


DEGREES = Parameter("y_nu", "degrees of freedom", POSITIVE, ("Gamma", {"alpha": 9.0, "beta": 1.0}))


class Tailed(Noise):
    """Noise with heavy tails, as PyMC-Marketing has it, with any degrees of freedom."""

    name = "tailed"
    words = "noise with tails"
    distribution = "StudentT"
    parameters = (DEGREES, SIGMA)

    def draw(
        self, mean: np.ndarray, rng: np.random.Generator, nu: np.ndarray, sigma: np.ndarray
    ) -> np.ndarray:
        return mean + rng.standard_t(nu, size=mean.shape) * sigma

    def log_density(
        self, observed: np.ndarray, mean: np.ndarray, nu: np.ndarray, sigma: np.ndarray
    ) -> np.ndarray:
        z = (observed - mean) / sigma
        whole = special.gammaln((nu + 1) / 2) - special.gammaln(nu / 2)
        whole -= np.log(np.pi * nu) / 2 + np.log(sigma)
        return whole - (nu + 1) / 2 * np.log1p(z**2 / nu)

    def spread(self, nu: np.ndarray, sigma: np.ndarray) -> np.ndarray:
        return sigma * np.sqrt(nu / (nu - 2))

    def law(self, observed: Any, mean: Any, nu: Any, sigma: Any) -> dict[str, Any]:
        return {"mu": mean, "nu": nu, "sigma": sigma}

    def graph(self, prior: MakePrior) -> Any:
        from pymc_extras.prior import Prior

        return Prior("StudentT", nu=prior(DEGREES), sigma=prior(SIGMA), dims="date")
