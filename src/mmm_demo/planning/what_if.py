"""What any other division of the money would bring, from few enough numbers to fit into a page."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mmm_demo.fits.response import Response
from mmm_demo.forms.mixed import MixedSaturation
from mmm_demo.planning.optimize import Planner, shares_of, spread_of
from mmm_demo.planning.plan import Plan
from mmm_demo.planning.surface import ByTotals, Media
from mmm_demo.planning.window import Window

MOST_DRAWS = 400
# Where all draws say what the few leave out, as shares of the most money; closest at the low end,
# where curves bend most.
NODES = np.linspace(0, 1, 17) ** 2
# Curves that whoever evaluates these numbers elsewhere must know.
CURVES = ("logistic", "michaelis_menten", "s_shaped", "hill", "linear")


@dataclass(frozen=True, eq=False)
class Start:
    """A plan that one may move away from.

    Attributes
    ----------
    plan
        The plan.
    profile
        How it spreads the money of each channel over the weeks, shape (week, channel).
    left_out
        Expected sales that the few draws leave out at each of `NODES`, shape (channel, node).
    margin
        Money earned per unit of sales; None where it is not known.
    """

    plan: Plan
    profile: np.ndarray
    left_out: np.ndarray
    margin: float | None


@dataclass(frozen=True, eq=False)
class WhatIf:
    """Sales by channel for any money in the window, over a few hundred draws.

    Channels add up, so what all draws expect of one is a curve of its own money. Its difference to
    the few draws is kept at some amounts and added to each of them: they say how sure it is, all
    draws say how much.

    Attributes
    ----------
    media
        The media part of the model, over evenly spaced draws.
    starts
        The plans, the main one first.
    most
        Largest money that is answered for, shape (channel,).
    kept_out
        Expected sales that the few draws leave out where a channel repeats the last period week by
        week, shape (channel,).
    draws
        Number of all draws.
    """

    media: Media
    starts: tuple[Start, ...]
    most: np.ndarray
    kept_out: np.ndarray
    draws: int

    @property
    def window(self) -> Window:
        """The weeks to plan."""
        return self.media.window

    @cached_property
    def last_profile(self) -> np.ndarray:
        """How the last period spread the money over its weeks, shape (week, channel)."""
        return last_profile(self.window)

    @cached_property
    def replay(self) -> np.ndarray:
        """What a replay of the last period brings, shape (channel, sample)."""
        return self.sales(self.window.current, self.window.channels)

    @property
    def forms(self) -> list[str]:
        """Name of the saturation by channel."""
        return forms_of(self.media.response)

    def sales(self, money: np.ndarray, kept: Collection[str] = (), place: int = 0) -> np.ndarray:
        """Return the sales by media of a spend, net of what earlier spend still earns.

        Parameters
        ----------
        money
            In the window, shape (channel,), each from 0 to `most`.
        kept
            Channels that repeat the last period week by week, whatever their money says; the others
            are spread like the plan.
        place
            Of the plan among `starts`.

        Returns
        -------
        numpy.ndarray
            Shape (channel, sample).
        """
        start, window = self.starts[place], self.window
        repeats = np.array([name in kept for name in window.channels])
        profile = np.where(repeats, self.last_profile, start.profile)
        brought = ByTotals(self.media, profile).at(np.where(repeats, window.current, money))
        of_most = money / self.most
        left_out = [
            np.interp(at, NODES, curve) for at, curve in zip(of_most, start.left_out, strict=True)
        ]
        return brought.channels + np.where(repeats, self.kept_out, left_out)[:, None]


def what_if(planner: Planner, plans: Sequence[Plan]) -> WhatIf | None:
    """Return what answers for any spend near some plans; None where a curve is not in `CURVES`.

    Parameters
    ----------
    planner, plans
        Model, window, and the plans that it made.
    """
    response = planner.fitted.response
    if not set(forms_of(response)) <= set(CURVES):
        return None
    full, window = planner.media, planner.window
    draws = full.worth.shape[2]
    few = Media(window, response, -(-draws // MOST_DRAWS))
    most = np.max([_most(plan) for plan in plans], axis=0)
    margins = {plan.scenario.margin for plan in plans} - {None}
    common = next(iter(margins)) if len(margins) == 1 else None
    found: dict[bytes, np.ndarray] = {}
    starts = []
    for plan in plans:
        profile = shares_of(plan.weekly.to_numpy(), spread_of(plan.scenario, window))
        key = profile.tobytes()
        if key not in found:
            found[key] = np.transpose([_left_out(full, few, profile, n * most) for n in NODES])
        starts.append(Start(plan, profile, found[key], plan.scenario.margin or common))
    kept_out = _left_out(full, few, last_profile(window), window.current)
    return WhatIf(few, tuple(starts), most, kept_out, draws)


def last_profile(window: Window) -> np.ndarray:
    """Return how the last period spread its money, evenly where there was none; (week, channel)."""
    return shares_of(window.last, np.full(window.last.shape, 1 / window.weeks))


def forms_of(response: Response) -> list[str]:
    """Return the name of the saturation of each channel."""
    form = response.config.form("saturation")
    if isinstance(form, MixedSaturation):
        return [one.name for one in form.forms]
    return [form.name] * len(response.config.channel_columns)


def _most(plan: Plan) -> np.ndarray:
    """Return as much money by channel as one may want to ask about, shape (channel,).

    Bounds and what the data have seen may lie so far away that nothing near could be set finely.
    """
    window, planned = plan.window, plan.table["planned"].to_numpy()
    near = np.maximum(3 * window.current, 1.5 * planned)
    near = np.where(near > 0, near, plan.total_budget or 1.0)
    return np.maximum(near, np.minimum(window.observed[1], 1.5 * near))


def _left_out(full: Media, few: Media, profile: np.ndarray, money: np.ndarray) -> np.ndarray:
    all_draws, thin = (
        ByTotals(media, profile).at(money).channels.mean(axis=1) for media in (full, few)
    )
    return all_draws - thin
