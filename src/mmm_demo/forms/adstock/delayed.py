"""Delayed adstock: geometric around a week that works most, which may come after the spend."""

from typing import Any

import numpy as np

from mmm_demo.forms.adstock.geometric import RETENTION
from mmm_demo.forms.kinds import Adstock
from mmm_demo.forms.parameter import CHANNEL, POSITIVE, Parameter

# Media that work later do so by talk, or by the next purchase: two of three peak within two weeks,
# nearly all within a month. A wider prior would let a channel take sales of another quarter.
PEAK = Parameter(
    "adstock_theta",
    "weeks after the spend in which it works most",
    POSITIVE,
    ("HalfNormal", {"sigma": 2.0}),
    CHANNEL,
    # Of media that work at once, a peak after a tenth of a week and none look alike.
    soft=0.1,
)


class Delayed(Adstock):
    """Share to the power of the squared distance from the peak, in weeks.

    The shares are PyMC-Marketing's. There, the weights of a peak long after the last week all
    round to 0 and the shares are no numbers; here, the power is of the distance beyond what the
    nearest week has at least, which leaves the shares as they are.
    """

    name = "delayed"
    parameters = (PEAK, RETENTION)  # as PyMC meets them, which gives each its stream of draws
    other = "geometric"

    def weights(self, lags: np.ndarray, alpha: np.ndarray, theta: np.ndarray) -> np.ndarray:
        """Return the weight of each lag, shape (..., lag, channel)."""
        beyond = np.maximum(theta - (len(lags) - 1), 0)
        return alpha ** np.maximum((lags - theta) ** 2 - beyond**2, 0)

    def graph_weights(self, lags: Any, weeks: Any, alpha: Any, theta: Any) -> Any:
        """Return the same in the graph.

        The squares are multiplied out, without the one that all lags share: so PyTensor sees that
        value and slope take the same shares, and carries spend over once less.
        """
        from pytensor.xtensor.math import minimum, power

        nearest = minimum(theta, weeks - 1)
        return power(alpha, lags * (lags - 2 * theta) - nearest * (nearest - 2 * theta))
