"""What a window's spend brings, with its slope, for all draws at once.

Two surfaces over the same model: of channel totals that are spread by a given profile, and of the
spend of each week; a third corrects either over few draws by all. All are net of what earlier spend
still earns in the window, which saturates it, and count the carryover after the window. Arrays are
(channel, week, sample).
"""

from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from mmm_demo.fits.response import Response
from mmm_demo.forms.kinds import Saturation
from mmm_demo.planning.window import Window


@dataclass(frozen=True, eq=False)
class Brought:
    """What a spend brings, and what one more unit of money would.

    Attributes
    ----------
    inside, after
        Sales in the window and by carryover after it, net of earlier spend; (channel, sample).
    slope
        Sales per unit of rate-scaled adstocked spend, (channel, week, sample).
    shift
        Sales that a correction adds to every draw.
    """

    inside: np.ndarray
    after: np.ndarray
    slope: np.ndarray
    shift: float = 0.0

    @property
    def channels(self) -> np.ndarray:
        """Sales by channel, shape (channel, sample)."""
        return self.inside + self.after

    @property
    def total(self) -> np.ndarray:
        """Sales of all channels, shape (sample,)."""
        return self.channels.sum(axis=0) + self.shift


@dataclass(frozen=True, eq=False)
class Media:
    """The media part of a model in one window.

    Attributes
    ----------
    window, response
        The weeks, and the model in NumPy.
    step
        Every how many draws one is used.
    """

    window: Window
    response: Response
    step: int = 1

    @cached_property
    def rate_weights(self) -> np.ndarray:
        """Rate of saturation times adstock weight per unit of money, (channel, lag, sample)."""
        money = np.array(self.response.scaling.channels) * self.window.cost
        rate = self.response.rate[:: self.step]
        weights = self.response.weights[:: self.step] * (rate / money)[:, None, :]
        return np.ascontiguousarray(weights.transpose(2, 1, 0))

    @cached_property
    def worth(self) -> np.ndarray:
        """Sales of full saturation, (channel, 1, sample)."""
        height = self.response.height[:: self.step]
        return (height * self.response.scaling.target).T[:, None, :]

    @cached_property
    def bend(self) -> dict[str, np.ndarray]:
        """Further parameters of the saturation curve, as forms take them: (sample, 1, channel)."""
        return {n: of[:: self.step][:, None, :] for n, of in self.response.bend.items()}

    @property
    def form(self) -> Saturation:
        """The form of saturation."""
        return self.response.config.form("saturation")

    @property
    def reach(self) -> int:
        """Weeks over which spend works, its own included."""
        return self.rate_weights.shape[1]

    @cached_property
    def carried(self) -> np.ndarray:
        """Rate-scaled adstocked spend from before the window, (channel, week, sample)."""
        before = self.window.before * self.window.cost
        return self.adstock(np.vstack([before, 0 * self.window.last]))[:, len(before) :]

    @cached_property
    def baseline(self) -> np.ndarray:
        """Share of saturation that earlier spend reaches alone, (channel, week, sample)."""
        return self.form.curve(self.carried.T, **self.bend).T

    @cached_property
    def carry_in(self) -> np.ndarray:
        """Sales that earlier spend still earns from the window's start on, (channel, sample)."""
        return (self.baseline * self.worth).sum(axis=1)

    def adstock(self, weekly: np.ndarray) -> np.ndarray:
        """Spread money over the weeks in which it works; (week, channel) -> this shape + reach."""
        weeks = len(weekly)
        spread = np.zeros((len(self.worth), weeks + self.reach - 1, self.worth.shape[2]))
        for lag in range(self.reach):
            spread[:, lag : lag + weeks] += weekly.T[:, :, None] * self.rate_weights[:, None, lag]
        return spread

    def brought(self, level: np.ndarray) -> Brought:
        """Return what rate-scaled adstocked spend of the window brings."""
        level = self.carried + level
        by_channel = self.form.curve(level.T, **self.bend)  # forms have channels last
        steep = self.form.slope(level.T, by_channel, **self.bend).T
        reached, weeks = by_channel.T, self.window.weeks
        steep *= self.worth
        gain = reached
        gain -= self.baseline
        gain *= self.worth
        return Brought(gain[:, :weeks].sum(axis=1), gain[:, weeks:].sum(axis=1), steep)


@dataclass(frozen=True, eq=False)
class ByTotals:
    """The surface of channel totals, spread over the weeks by a profile.

    Attributes
    ----------
    media
        The model.
    profile
        Share of the total by week, shape (week, channel); each channel's add up to 1.
    """

    media: Media
    profile: np.ndarray

    @cached_property
    def _unit(self) -> np.ndarray:
        return self.media.adstock(self.profile)

    def weekly(self, spend: np.ndarray) -> np.ndarray:
        """Return money by week, shape (week, channel)."""
        return self.profile * spend

    def at(self, spend: np.ndarray) -> Brought:
        """Return what channel totals bring, shape of `spend` (channel,)."""
        return self.media.brought(self._unit * spend[:, None, None])

    def marginal(self, brought: Brought) -> np.ndarray:
        """Return the sales that one more unit of money brings, (channel, sample)."""
        return np.einsum("cks,cks->cs", brought.slope, self._unit)

    def gradient(self, brought: Brought, weights: np.ndarray) -> np.ndarray:
        """Return the slope of the weighted draws, shape (channel,)."""
        return self.marginal(brought) @ weights


@dataclass(frozen=True, eq=False)
class ByWeek:
    """The surface of the spend of each week; spend is flat, week by week."""

    media: Media

    def weekly(self, spend: np.ndarray) -> np.ndarray:
        """Return money by week, shape (week, channel)."""
        return spend.reshape(self.media.window.weeks, -1)

    def at(self, spend: np.ndarray) -> Brought:
        """Return what the spend of each week brings."""
        return self.media.brought(self.media.adstock(self.weekly(spend)))

    def gradient(self, brought: Brought, weights: np.ndarray) -> np.ndarray:
        """Return the slope of the weighted draws, flat like the spend."""
        media, weeks = self.media, self.media.window.weeks
        steep = brought.slope * weights
        slopes = np.zeros((weeks, len(steep)))
        for lag in range(media.reach):
            within = steep[:, lag : lag + weeks]
            slopes += np.einsum("cts,cs->tc", within, media.rate_weights[:, lag])
        return slopes.ravel()


@dataclass(frozen=True, eq=False)
class Corrected:
    """A surface over few draws, tilted so that at one spend it says what all draws say.

    A search on it ends where one over all draws would, once the spend no longer moves.

    Attributes
    ----------
    thin
        The surface over few draws.
    spend
        Where it is right, shape (item,).
    level, tilt
        What all draws add there to the mean of the draws looked at, and to its slope.
    """

    thin: "ByTotals | ByWeek"
    spend: np.ndarray
    level: float
    tilt: np.ndarray

    def at(self, spend: np.ndarray) -> Brought:
        """Return what a spend brings."""
        shift = self.level + float(self.tilt @ (spend - self.spend))
        return replace(self.thin.at(spend), shift=shift)

    def gradient(self, brought: Brought, weights: np.ndarray) -> np.ndarray:
        """Return the slope of the weighted draws."""
        return self.thin.gradient(brought, weights) + self.tilt * weights.sum()
