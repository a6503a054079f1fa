"""What a form of each kind has to say. A new form is a class of one of these, in one file.

Arrays broadcast over whatever axes stand before the last ones that are named, so draws, regions or
both may lead. Graphs are PyTensor's, and are imported where they are made.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmm_demo.forms.parameter import POSITIVE, REAL, Parameter

MakePrior = Callable[[Parameter], Any]  # what the graph takes for a parameter
BLOCK = 64  # samples at once, which a processor holds close while it adds up their lags
RATE, HEIGHT = "saturation_lam", "saturation_beta"
DAYS_OF_WEEK = np.timedelta64(7, "D")
INTERCEPT = Parameter(
    "intercept",
    "sales without media, with average controls and season",
    REAL | POSITIVE,
    ("Normal", {"mu": 0.5, "sigma": 0.25}),
    stored="intercept_contribution",
    in_sales=True,
)


class Form(ABC):
    """What all forms say.

    Attributes
    ----------
    name
        As experiments write it.
    parameters
        Its free parameters.
    """

    name: str
    parameters: tuple[Parameter, ...]

    def pick(self, draws: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Return draws of its parameters, by the names that its arrays take."""
        return {short(item.name): draws(item.variable) for item in self.parameters}


def short(name: str) -> str:
    """Return a parameter's name within its form, e.g. `alpha` of `adstock_alpha`."""
    return name.partition("_")[2] or name


class Adstock(Form):
    """How spend of one week works in the weeks after it."""

    @abstractmethod
    def weights(self, lags: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the weight of each lag on any scale.

        Parameters
        ----------
        lags
            All lags from 0, shape (lag, 1).
        parameters
            Shape (..., 1, channel).

        Returns
        -------
        numpy.ndarray
            Shape (..., lag, channel).
        """

    @abstractmethod
    def graph_weights(self, lags: Any, weeks: Any, **parameters: Any) -> Any:
        """Return the same in the graph, where the number of weeks is data.

        Parameters
        ----------
        lags
            As many as there may ever be.
        weeks
            Number of weeks over which spend works; weights of later lags need to be real numbers,
            but need not be right.
        parameters
            By channel.
        """

    def library(self) -> Any:
        """Return PyMC-Marketing's own class of this form, with a fixed lag; None without any."""
        return None

    def shares(self, weeks: int, **parameters: np.ndarray) -> np.ndarray:
        """Return the share of a week's spend that works at each lag.

        Parameters
        ----------
        weeks
            Over which spend works, its own included.
        parameters
            Shape (..., channel).

        Returns
        -------
        numpy.ndarray
            Shape (..., lag, channel); adds up to 1 over the lags.
        """
        by_lag = {name: value[..., None, :] for name, value in parameters.items()}
        raw = self.weights(np.arange(weeks)[:, None], **by_lag)
        return raw / raw.sum(axis=-2, keepdims=True)


def carried(spend: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Return what works of contiguous weeks' spend in each of them, with nothing before.

    It is linear in the spend: its slope is the shares.

    Parameters
    ----------
    spend
        Shape (..., week, channel).
    shares
        Of each lag (`Adstock.shares`), shape (..., lag, channel).

    Returns
    -------
    numpy.ndarray
        Shape (..., week, channel), leading axes broadcast.
    """
    weeks, lead = spend.shape[-2], np.broadcast_shapes(spend.shape[:-2], shares.shape[:-2])
    works = np.zeros((*lead, *spend.shape[-2:]))
    spend, shares = (np.broadcast_to(part, (*lead, *part.shape[-2:])) for part in (spend, shares))
    for start in range(0, lead[0] if lead else 1, BLOCK):
        block = np.s_[start : start + BLOCK] if lead else ...
        into, money, share = works[block], spend[block], shares[block]
        for lag in range(min(shares.shape[-2], weeks)):
            into[..., lag:, :] += share[..., lag, None, :] * money[..., : weeks - lag, :]
    return works


class Saturation(Form):
    """How the response levels off: `HEIGHT` times a curve of `RATE` times spend.

    A form without one of these two has 1 in its place. Its further parameters are the curve's.

    Attributes
    ----------
    concave
        Whether each further unit of spend brings less than the one before, at every level; only
        then can a plan be certified against all others.
    other
        Form in its place when a battery asks how much hangs on it.
    """

    concave: bool
    other: str = "logistic"

    @abstractmethod
    def curve(self, x: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, any shape; a new array.

        `parameters`, which are neither rate nor height, broadcast with it.
        """

    @abstractmethod
    def slope(self, x: np.ndarray, reached: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the slope of the curve where it has reached `reached`; a new array."""

    @abstractmethod
    def graph(self) -> Any:
        """Return PyMC-Marketing's class of height times curve, its own or one of ours."""

    def rate(self, draws: Callable[[str], np.ndarray]) -> np.ndarray:
        """Return draws of the rate; 1 of a form without any."""
        return self._or_one(RATE, draws)

    def height(self, draws: Callable[[str], np.ndarray]) -> np.ndarray:
        """Return draws of the height; 1 of a form without any."""
        return self._or_one(HEIGHT, draws)

    def bend(self, draws: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Return draws of the curve's own parameters, by the names that it takes."""
        picked = self.pick(draws)
        return {name: picked[name] for name in picked if name not in (short(RATE), short(HEIGHT))}

    def _or_one(self, name: str, draws: Callable[[str], np.ndarray]) -> np.ndarray:
        names = [item.name for item in self.parameters]
        return draws(name) if name in names else np.ones_like(draws(names[0]))


@dataclass(frozen=True)
class Frame:
    """What the terms of a model's additive parts hang on beside the date.

    Attributes
    ----------
    training
        Dates of the training weeks, shape (week,).
    modes
        Yearly ones.
    calendar
        Name, first and last day of each time that an event was or will be.
    """

    training: np.ndarray
    modes: int
    calendar: tuple[tuple[str, np.datetime64, np.datetime64], ...] = ()

    @property
    def events(self) -> tuple[str, ...]:
        """Names of the events, each once."""
        return tuple(dict.fromkeys(name for name, _, _ in self.calendar))

    def weeks(self, dates: np.ndarray) -> np.ndarray:
        """Return dates in weeks since the first training week, any shape."""
        return (dates - self.training[0]) / DAYS_OF_WEEK

    @property
    def length(self) -> float:
        """Weeks from the first to the last training week."""
        return float(self.weeks(self.training[-1]))


class Additive(Form):
    """A part of sales that is linear in its coefficients: baseline, seasonality or events.

    Attributes
    ----------
    dim
        What the graph calls the terms that it adds itself, which is also the dim of the parameter
        that has one value for each; empty where PyMC-Marketing has the part itself.
    pooled
        The parameter that says how large values usually are, and the values in units of it.
    """

    dim: str = ""
    pooled: tuple[Parameter, Parameter] | None = None

    @abstractmethod
    def coefficients(self, **parameters: np.ndarray) -> np.ndarray:
        """Return the coefficients, shape (..., term).

        Parameters are of shape (...) where they are single values, else (..., item).
        """

    def graph_coefficients(self, **parameters: Any) -> Any:
        """Return the same in the graph, over `dim`."""
        raise NotImplementedError(f"{self.name} is a part of PyMC-Marketing's own")

    @abstractmethod
    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the terms of each date, shape (week, term)."""

    @abstractmethod
    def graph(self, prior: MakePrior, modes: int) -> dict[str, Any]:
        """Return what PyMC-Marketing's model is called with; `model_config` is put together."""


class Baseline(Additive):
    """What sells without media, controls and season: a level, and terms that move it.

    The first parameter is the level (`INTERCEPT`). Terms are 0 on average over the training weeks,
    so it means the same in every form; their coefficients hang on the other parameters.

    Attributes
    ----------
    other
        Form in its place when a battery asks how much hangs on it; empty where none is asked for.
    """

    other: str = ""

    def graph(self, prior: MakePrior, modes: int) -> dict[str, Any]:
        """Return what PyMC-Marketing's model is called with."""
        return {"model_config": {"intercept": prior(INTERCEPT)}}


class Seasonality(Additive):
    """What comes back every year.

    Attributes
    ----------
    contribution
        What the graph calls its sum.
    """

    contribution: str

    @abstractmethod
    def count(self, modes: int) -> int:
        """Return how many values a parameter has that has one each `MODE`."""


class EventEffects(Additive):
    """What events add to sales in their weeks."""

    def graph(self, prior: MakePrior, modes: int) -> dict[str, Any]:
        """Return nothing: PyMC-Marketing's model has no such part of this kind."""
        return {}


class Noise(Form):
    """How sales scatter around their mean.

    Parameters that are amounts of sales come in sales units. All broadcast with the mean, whose
    last axis is the week. There are two laws: the *marginal* one, of weeks of which none is known,
    and the *one-step* one, of each week given the sales of the weeks before it. Where weeks are
    independent they are the same, which is what this class says where a form does not.

    Attributes
    ----------
    words
        The law, as it is read in reports.
    distribution
        What PyMC calls the law of each week; it has a `mu` and a `sigma`, which scales it.
    given
        What the one-step law takes as known, in words; empty where both laws are the same.
    """

    words: str
    distribution: str
    given: str = ""

    @property
    def independent(self) -> bool:
        """Whether a week says nothing of the next."""
        return not self.given

    @abstractmethod
    def draw(
        self, mean: np.ndarray, rng: np.random.Generator, **parameters: np.ndarray
    ) -> np.ndarray:
        """Draw sales by the marginal law, all weeks together; shape of `mean` (..., week)."""

    @abstractmethod
    def log_density(
        self, observed: np.ndarray, mean: np.ndarray, **parameters: np.ndarray
    ) -> np.ndarray:
        """Return the log density of observed sales by the one-step law, shape of `mean`.

        It adds up to the log density of all weeks.
        """

    @abstractmethod
    def spread(self, **parameters: np.ndarray) -> np.ndarray:
        """Return the standard deviation by the marginal law, shape of the parameters."""

    @abstractmethod
    def law(self, observed: Any, mean: Any, **parameters: Any) -> dict[str, Any]:
        """Return the arguments of `distribution` by the one-step law, in the graph, over `date`."""

    def graph(self, prior: MakePrior) -> Any:
        """Return the likelihood as PyMC-Marketing has it itself; None where it is made of `law`."""
        return None

    def draw_after(
        self,
        before: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        **parameters: np.ndarray,
    ) -> np.ndarray:
        """Draw sales of the weeks after a known one, shape of `mean`.

        Parameters
        ----------
        before
            Residual of the week before the first, shape (..., 1).
        """
        return self.draw(mean, rng, **parameters)

    def draw_each(
        self,
        observed: np.ndarray,
        mean: np.ndarray,
        rng: np.random.Generator,
        **parameters: np.ndarray,
    ) -> np.ndarray:
        """Draw sales by the one-step law, shape of `mean`."""
        return self.draw(mean, rng, **parameters)

    def expected(
        self, observed: np.ndarray, mean: np.ndarray, **parameters: np.ndarray
    ) -> np.ndarray:
        """Return the mean by the one-step law, shape of `mean`."""
        return mean

    def innovations(self, residuals: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return what is new in each week's residual: independent and alike; shape (..., week).

        It is linear in the residuals, so what explains them is turned in the same way.
        """
        return residuals


def defaults(form: Form) -> Mapping[str, tuple[str, Mapping[str, float]]]:
    """Return the default priors of a form, by the short names of its parameters."""
    return {short(item.name): item.default for item in form.parameters}
