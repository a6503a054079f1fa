"""Channels that differ: one adstock and one saturation, of forms that each channel has its own of.

PyMC-Marketing's model takes one of each. A parameter that only some channels' forms have exists for
these only, over a dimension of its own (`Parameter.axis`); nothing is drawn for the others.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Adstock, Form, Saturation, short
from mmm_demo.forms.mixed_graphs import mixed_adstock, mixed_saturation
from mmm_demo.forms.parameter import Parameter

# In place of a parameter that a channel lacks: a rate of 1 leaves its spend as it is, and all else
# only has to be a real number.
NOTHING = 1.0


class _ByChannel(Form):
    """What both kinds have of their forms by channel."""

    forms: tuple[Any, ...]

    @property
    def name(self) -> str:
        """Names of the forms, by channel."""
        return ", ".join(form.name for form in self.forms)

    @cached_property
    def parameters(self) -> tuple[Parameter, ...]:
        """Parameters that some channel has."""
        return _parameters(self.forms)

    def pick(self, draws: Callable[[str], np.ndarray]) -> dict[str, np.ndarray]:
        """Return draws of its parameters, by the names that its arrays take, for every channel."""
        return _picked(self.parameters, draws, len(self.forms))


@dataclass(frozen=True)
class MixedAdstock(_ByChannel, Adstock):
    """An adstock of each channel's own.

    Attributes
    ----------
    forms
        By channel.
    lags
        Weeks over which each channel's spend works, its own included.
    """

    forms: tuple[Adstock, ...]
    lags: tuple[int, ...]

    def weights(self, lags: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the weight of each lag, 0 of those that a channel has no more."""
        lead = np.broadcast_shapes(*(value.shape[:-2] for value in parameters.values()))
        found = np.zeros((*lead, len(lags), len(self.forms)))
        for form, weeks in dict.fromkeys(zip(self.forms, self.lags, strict=True)):
            at = _places(zip(self.forms, self.lags, strict=True), (form, weeks))
            own = {short(item.name): parameters[short(item.name)] for item in form.parameters}
            found[..., :weeks, at] = form.weights(
                lags[:weeks], **{name: value[..., at] for name, value in own.items()}
            )
        return found

    def graph_weights(self, lags: Any, weeks: Any, **parameters: Any) -> Any:
        """Return the same in the graph; its class has them put together (`mixed_adstock`)."""
        raise NotImplementedError("each form has its own weights")

    def own(self, open_lag: bool) -> type:
        """Return the class for PyMC-Marketing."""
        return mixed_adstock(self.forms, self.parameters, open_lag)


@dataclass(frozen=True)
class MixedSaturation(_ByChannel, Saturation):
    """A saturation of each channel's own; channels are the last axis of all its arrays.

    Attributes
    ----------
    forms
        By channel.
    """

    forms: tuple[Saturation, ...]

    @property
    def concave(self) -> bool:
        """Whether every channel's form is."""
        return all(form.concave for form in self.forms)

    def curve(self, x: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the response to rate times spend, shape (..., channel)."""
        reached = np.empty_like(x)
        for form, at, own in self._each(parameters):
            reached[..., at] = form.curve(x[..., at], **own)
        return reached

    def slope(self, x: np.ndarray, reached: np.ndarray, **parameters: np.ndarray) -> np.ndarray:
        """Return the slope of the curve, shape (..., channel)."""
        steep = np.empty_like(x)
        for form, at, own in self._each(parameters):
            steep[..., at] = form.slope(x[..., at], reached[..., at], **own)
        return steep

    def graph(self) -> Any:
        """Return the class for PyMC-Marketing."""
        return mixed_saturation(self.forms, self.parameters)

    def _each(
        self, parameters: dict[str, np.ndarray]
    ) -> list[tuple[Saturation, list[int], dict[str, np.ndarray]]]:
        """Return each form, its channels' places and its own parameters there."""
        found = []
        for form in dict.fromkeys(self.forms):
            at, names = _places(self.forms, form), {short(item.name) for item in form.parameters}
            own = {name: of[..., at] for name, of in parameters.items() if name in names}
            found.append((form, at, own))
        return found

    def _or_one(self, name: str, draws: Callable[[str], np.ndarray]) -> np.ndarray:
        picked = self.pick(draws)
        return picked.get(short(name), np.ones_like(next(iter(picked.values()))))


def mixed(kind: str, forms: Sequence[Any], lags: Sequence[int]) -> Form:
    """Return one form of forms by channel: itself where all are the same.

    Parameters
    ----------
    kind
        `adstock` or `saturation`.
    forms
        By channel.
    lags
        Weeks by channel; an adstock of several lags is a mixed one.
    """
    same = len(dict.fromkeys(forms)) == 1
    if kind == "saturation":
        return forms[0] if same else MixedSaturation(tuple(forms))
    return forms[0] if same and len({*lags}) == 1 else MixedAdstock(tuple(forms), tuple(lags))


def _parameters(forms: Sequence[Form]) -> tuple[Parameter, ...]:
    found: dict[str, Parameter] = {}
    # A form with more of them says in which order PyMC meets those that others have too.
    longest = sorted(dict.fromkeys(forms), key=lambda form: -len(form.parameters))
    for item in (item for form in longest for item in form.parameters):
        has = tuple(
            place
            for place, form in enumerate(forms)
            if item.name in {own.name for own in form.parameters}
        )
        found.setdefault(item.name, replace(item, only=has if len(has) < len(forms) else None))
    return tuple(found.values())


def _picked(
    parameters: Sequence[Parameter], draws: Callable[[str], np.ndarray], channels: int
) -> dict[str, np.ndarray]:
    found = {}
    for item in parameters:
        values = draws(item.variable)
        if item.only is not None:
            full = np.full((*values.shape[:-1], channels), NOTHING)
            full[..., list(item.only)] = values
            values = full
        found[short(item.name)] = values
    return found


def _places(of: Any, wanted: Any) -> list[int]:
    return [place for place, item in enumerate(of) if item == wanted]
