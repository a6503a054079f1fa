"""The model's mean, evaluated in NumPy for all draws at once: fast, and needs no compilation.

The tests hold it to PyMC-Marketing's own graph. Where something hangs on the model having no part
that is unknown here (the decomposition that must add up), `fitted` asks the library instead.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd
import xarray as xr

from mmm_demo.settings.experiment import ModelConfig, ScalingConfig

LOG_3 = math.log(3.0)
DAYS_OF_YEAR = 365.25
_Curve = Callable[[np.ndarray], np.ndarray]
_Slope = Callable[[np.ndarray, np.ndarray], np.ndarray]


def _logistic(x: np.ndarray) -> np.ndarray:
    # This is tanh(x / 2), but faster; in place, because it is memory that takes the time.
    left = np.exp(np.negative(x))
    reached = 1 - left
    left += 1
    reached /= left
    return reached


def _logistic_slope(x: np.ndarray, reached: np.ndarray) -> np.ndarray:
    steep = reached * reached
    np.subtract(0.5, np.multiply(steep, 0.5, out=steep), out=steep)
    return steep


# Saturation of spend times its rate, from 0 to 1, and its slope there. Each form has half of its
# effect at log(3), so one prior of the rate says the same of all of them.
_FORMS: dict[str, tuple[_Curve, _Slope]] = {
    "logistic": (_logistic, _logistic_slope),
    "michaelis_menten": (lambda x: x / (x + LOG_3), lambda x, reached: (1 - reached) ** 2 / LOG_3),
    "s_shaped": (
        lambda x: x**2 / (x**2 + LOG_3**2),
        lambda x, reached: 2 * x * (1 - reached) ** 2 / LOG_3**2,
    ),
}


# Weight of each lag before they are made to add up to 1; alpha (sample, 1, channel), lag (lag, 1).
_ADSTOCKS: dict[str, Callable[[np.ndarray, np.ndarray], np.ndarray]] = {
    "geometric": lambda alpha, lag: alpha**lag,
    "binomial": lambda alpha, lag: (1 - lag / (len(lag) + 1)) ** (1 / alpha - 1),
}


def scaling_of(config: ModelConfig, table: pd.DataFrame) -> ScalingConfig:
    """Return the scaling that a table gives by itself: its largest sale and spends."""
    spend = table[list(config.channel_columns)].max()
    return ScalingConfig(float(table[config.target_column].max()), tuple(map(float, spend)))


def saturation(config: ModelConfig) -> tuple[_Curve, _Slope]:
    """Return a model's saturation of rate times spend, from 0 to 1, and its slope.

    The slope takes rate times spend and what the saturation is there.
    """
    return _FORMS[config.saturation]


def concave(config: ModelConfig) -> bool:
    """Whether each further unit of spend brings less than the one before, at every level."""
    return config.saturation != "s_shaped"


def standardised(controls: pd.DataFrame, training: pd.DataFrame) -> pd.DataFrame:
    """Return controls in standard deviations from their training mean.

    A control that is constant in training stays at zero there: its effect is then its prior.
    """
    spread = training.std(ddof=0).where(training.nunique() > 1, 1.0)  # rounding leaves some spread
    return (controls - training.mean()) / spread


@dataclass(frozen=True)
class Response:
    """A model with draws of its parameters.

    Attributes
    ----------
    config
        Columns, lag, adstock, saturation and seasonality.
    scaling
        What sales and spend are divided by.
    posterior
        Free parameters, dims (chain, draw, ...).
    training
        Weekly table that standardises the controls.
    """

    config: ModelConfig
    scaling: ScalingConfig
    posterior: xr.Dataset
    training: pd.DataFrame

    def draws(self, name: str) -> np.ndarray:
        """Return a parameter's draws, shape (sample,) or (sample, item)."""
        values = self.posterior[name].transpose("chain", "draw", ...).to_numpy()
        return values.reshape(-1, *values.shape[2:])

    @cached_property
    def weights(self) -> np.ndarray:
        """Share of a week's spend that works at each lag, shape (sample, lag, channel)."""
        lags = np.arange(self.config.adstock_max_lag)[:, None]
        raw = _ADSTOCKS[self.config.adstock](self.draws("adstock_alpha")[:, None, :], lags)
        return raw / raw.sum(axis=1, keepdims=True)

    def saturated(self, scaled: np.ndarray) -> np.ndarray:
        """Return the response to adstocked spend, both scaled; last axes (..., channel).

        Parameters
        ----------
        scaled
            Shape (sample or 1, point, channel).
        """
        lam, beta = (self.draws(f"saturation_{name}")[:, None, :] for name in ("lam", "beta"))
        return beta * saturation(self.config)[0](lam * scaled)

    def contributions(self, spend: np.ndarray) -> np.ndarray:
        """Return what media bring in contiguous weeks with nothing before them.

        Parameters
        ----------
        spend
            Money, shape (week, channel).

        Returns
        -------
        numpy.ndarray
            Sales units, shape (sample, week, channel).
        """
        scaled, weights = spend / np.array(self.scaling.channels), self.weights
        carried = np.zeros((len(weights), *scaled.shape))
        for lag in range(min(self.config.adstock_max_lag, len(scaled))):
            carried[:, lag:] += weights[:, lag, None] * scaled[: len(scaled) - lag]
        return self.saturated(carried) * self.scaling.target

    def others(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return baseline, controls and seasonality together, sales units, (sample, week)."""
        parts = [self.draws("intercept_contribution")[:, None]]
        parts += [self.draws("gamma_control")] if self.config.control_columns else []
        parts += [self.draws("gamma_fourier")] if self.config.yearly_seasonality else []
        basis = np.column_stack([np.ones(len(weeks)), self.design(weeks)])
        return np.hstack(parts) @ basis.T * self.scaling.target

    def design(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return standardised controls and the yearly basis, shape (week, variable)."""
        parts = [np.empty((len(weeks), 0))]
        if controls := list(self.config.control_columns):
            parts.append(standardised(weeks[controls], self.training[controls]).to_numpy())
        if modes := self.config.yearly_seasonality:
            days = pd.DatetimeIndex(weeks[self.config.date_column]).day_of_year.to_numpy()
            angles = 2 * np.pi * days[:, None] * np.arange(1, modes + 1) / DAYS_OF_YEAR
            parts += [np.sin(angles), np.cos(angles)]
        return np.hstack(parts)

    def mean(self, weeks: pd.DataFrame) -> np.ndarray:
        """Return expected sales of contiguous weeks, shape (sample, week)."""
        spend = weeks[list(self.config.channel_columns)].to_numpy()
        return self.others(weeks) + self.contributions(spend).sum(axis=2)

    def sales(self, weeks: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
        """Draw sales of contiguous weeks, noise included, shape (sample, week)."""
        mean = self.mean(weeks)
        return mean + rng.normal(size=mean.shape) * self.noise[:, None]

    @cached_property
    def noise(self) -> np.ndarray:
        """Standard deviation of a week's noise, sales units, shape (sample,)."""
        return self.draws("y_sigma") * self.scaling.target

    def roas(self, spend: np.ndarray) -> np.ndarray:
        """Return incremental ROAS, carryover after the last week included, (sample, channel)."""
        after = np.zeros((self.config.adstock_max_lag, spend.shape[1]))
        return self.contributions(np.vstack([spend, after])).sum(axis=1) / spend.sum(axis=0)

    def incremental(self, history: np.ndarray, window: np.ndarray) -> np.ndarray:
        """Return what spend in a window brings, carryover after it included.

        Net of what earlier spend still earns in the window, which saturates it.

        Parameters
        ----------
        history, window
            Money in the weeks before and in the window, shape (week, channel).

        Returns
        -------
        numpy.ndarray
            Sales units, shape (sample, channel).
        """
        lag = self.config.adstock_max_lag
        before, after = history[-lag:], np.zeros((lag, window.shape[1]))
        planned = self.contributions(np.vstack([before, window, after]))
        nothing = self.contributions(np.vstack([before, 0 * window, after]))
        return (planned - nothing).sum(axis=1)
