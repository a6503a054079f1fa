"""Pooled effects of events: each has its own, and all together say how large one usually is.

PyMC-Marketing's `EventEffect` is a smooth bump around each date; here it is the days themselves.
"""

from typing import Any

import numpy as np

from mmm_demo.forms.kinds import DAYS_OF_WEEK, EventEffects, Frame
from mmm_demo.forms.parameter import EVENT, POSITIVE, REAL, Parameter

SCALE = Parameter(
    "event_scale",
    "how much the fullest week of an event usually moves sales",
    POSITIVE,
    # From 2 to 24 % of the best week's sales (95 %). Never nothing: then the events have no place.
    ("LogNormal", {"mu": -2.7, "sigma": 0.65}),
    in_sales=True,
)
EFFECTS = Parameter(
    "gamma_event",
    "effect of each event, in units of event_scale",
    REAL,
    ("Normal", {"mu": 0.0, "sigma": 1.0}),
    EVENT,
)


class Pooled(EventEffects):
    """An effect for each event, by the days of it that a week has."""

    name = "pooled"
    parameters = (SCALE, EFFECTS)
    dim = EVENT
    pooled = (SCALE, EFFECTS)

    def coefficients(self, scale: np.ndarray, event: np.ndarray) -> np.ndarray:
        """Return the effects in scaled sales, shape (..., event)."""
        return scale[..., None] * event

    def graph_coefficients(self, scale: Any, event: Any) -> Any:
        """Return the same in the graph."""
        return scale * event

    def basis(self, dates: np.ndarray, frame: Frame) -> np.ndarray:
        """Return the days that each week has of each event, 1 in the fullest possible week.

        Returns
        -------
        numpy.ndarray
            Shape (week, event).
        """
        days = np.zeros((len(dates), len(frame.events)))
        most = np.zeros(len(frame.events))
        for name, first, last in frame.calendar:
            event = frame.events.index(name)
            overlap = np.minimum(dates + DAYS_OF_WEEK - 1, last) - np.maximum(dates, first)
            days[:, event] += np.maximum(overlap.astype(int) + 1, 0)
            length = (last - first).astype(int) + 1
            most[event] = max(most[event], min(length, DAYS_OF_WEEK.astype(int)))
        return days / most
