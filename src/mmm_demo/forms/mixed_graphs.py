"""Classes for PyMC-Marketing of channels that differ: each form makes its own channels' part."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from mmm_demo.forms.graphs import ALL, DOOR, saturation_class, transformation
from mmm_demo.forms.kinds import Adstock, Saturation, short
from mmm_demo.forms.parameter import CHANNEL, Parameter

# Arguments of these classes beside the forms' parameters: which form a channel has, and its weeks.
FORM, WEEKS = "form", "weeks"
FORMS = "forms"  # what a trace calls the names of the forms
MIXED_ADSTOCK, MIXED_SATURATION = "MixedAdstock", "MixedSaturation"


@dataclass
class ByChannel:
    """Numbers by channel, known before the fit, as data of the model.

    Attributes
    ----------
    values
        One for each channel.
    dims
        As PyMC-Marketing asks for them.
    """

    values: Sequence[float]
    dims: tuple[str, ...] | None = (CHANNEL,)

    def create_variable(self, name: str, xdist: bool = False) -> Any:
        """Return the numbers as data of the model that is being built."""
        import pymc.dims as pmd

        return pmd.Data(name, np.array(self.values, dtype=float), dims=CHANNEL)

    def to_dict(self) -> dict[str, Any]:
        """Return it as a trace holds it."""
        return {"values": list(self.values)}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "ByChannel":
        """Return what a trace holds."""
        return cls(stored["values"])


@dataclass
class ForSome:
    """A prior of a parameter that only some channels have.

    The parameter is over a dimension of its own; `ALL` ends the name of it spread over all
    channels, in which those without it have a number that has no effect.

    Attributes
    ----------
    prior
        Over the parameter's own dimension.
    only
        Places of the channels that have it.
    nothing
        What the others have.
    dims
        Of what it is spread over.
    """

    prior: Any
    only: tuple[int, ...]
    nothing: float
    dims: tuple[str, ...] | None = (CHANNEL,)

    def create_variable(self, name: str, xdist: bool = False) -> Any:
        """Return it spread over all channels, in the model that is being built."""
        import pymc as pm
        import pymc.dims as pmd
        import pytensor.tensor as pt
        import pytensor.xtensor as ptx

        model, only = pm.modelcontext(None), list(self.only)
        channels = model.coords[CHANNEL]
        (axis,) = self.prior.dims
        model.add_coord(axis, [channels[place] for place in only])
        drawn = self.prior.create_variable(name.removesuffix(ALL), xdist=True)
        full = pt.constant(np.full(len(channels), self.nothing))[only].set(drawn.values)
        return pmd.Deterministic(name, ptx.as_xtensor(full, dims=(CHANNEL,)))

    def to_dict(self) -> dict[str, Any]:
        """Return it as a trace holds it."""
        return {"prior": self.prior.to_dict(), "only": list(self.only), "nothing": self.nothing}

    @classmethod
    def from_dict(cls, stored: dict[str, Any]) -> "ForSome":
        """Return what a trace holds."""
        from pymc_extras.deserialize import deserialize

        return cls(deserialize(stored["prior"]), tuple(stored["only"]), stored["nothing"])


def register_mixed(form: Callable[[str, Sequence[str]], Any]) -> None:
    """Let PyMC-Marketing store and load traces whose channels differ.

    Parameters
    ----------
    form
        Gives the mixed form of a kind and of the names of its channels' forms.
    """
    from pymc_extras.deserialize import deserialize
    from pymc_marketing.mmm import AdstockTransformation, SaturationTransformation
    from pymc_marketing.serialization import serialization

    for part in (ByChannel, ForSome):
        part.__module__ = DOOR
        serialization.register(part)

    def prior(stored: Any) -> Any:
        known = isinstance(stored, dict) and "__type__" in stored
        return serialization.deserialize(stored) if known else deserialize(stored)

    def loaded(kind: str, make: Callable[[Any], type]) -> Callable[..., Any]:
        def load(stored: dict[str, Any], context: Any = None) -> Any:
            rest = {name: of for name, of in stored.items() if name not in ("__type__", FORMS)}
            rest["priors"] = {name: prior(of) for name, of in stored["priors"].items()}
            return make(form(kind, stored[FORMS]))(**rest)

        return load

    for name, base, load in (
        (MIXED_ADSTOCK, AdstockTransformation, loaded("adstock", lambda of: of.own(False))),
        (MIXED_SATURATION, SaturationTransformation, loaded("saturation", saturation_class)),
    ):
        key = f"{DOOR}.{name}"
        serialization.register(
            key,
            base,
            serializer=lambda of, key=key: {"__type__": key, FORMS: of.forms, **of.to_dict()},
            deserializer=load,
        )


def mixed_saturation(forms: Sequence[Saturation], parameters: Sequence[Parameter]) -> type:
    """Return a class for a saturation of each channel's own.

    Parameters
    ----------
    forms
        By channel.
    parameters
        That some channel has.
    """
    from pymc_marketing.mmm import SaturationTransformation

    each = list(dict.fromkeys(forms))
    curves = [saturation_class(form)().function for form in each]
    codes = [float(each.index(form)) for form in forms]

    def of_form(number: int, x: Any, parameters: dict[str, Any]) -> Any:
        own = {short(item.name): parameters[short(item.name)] for item in each[number].parameters}
        return curves[number](x, **own)

    def function(self: Any, x: Any, *, dim: str | None = None, **parameters: Any) -> Any:
        from pytensor.xtensor.math import eq, where

        form = parameters.pop(FORM)
        if CHANNEL in x.dims:
            return _by_form(codes, lambda number, at: of_form(number, at(x), _at(at, parameters)))
        found = of_form(0, x, parameters)  # a lift test a row, each of its own channel
        for number in range(1, len(each)):
            found = where(eq(form, float(number)), of_form(number, x, parameters), found)
        return found

    data = {FORM: ByChannel(codes)}
    made = transformation(parameters, SaturationTransformation, function, MIXED_SATURATION, data)
    made.forms = [form.name for form in forms]
    return made


def mixed_adstock(
    forms: Sequence[Adstock], parameters: Sequence[Parameter], open_lag: bool
) -> type:
    """Return a class for an adstock of each channel's own; the number of weeks is data.

    Parameters
    ----------
    forms
        By channel.
    parameters
        That some channel has.
    open_lag
        Whether it only serves to sample; else traces name it.
    """
    import pytensor.tensor as pt
    import pytensor.xtensor as ptx
    from pymc_marketing.mmm import AdstockTransformation
    from pymc_marketing.mmm.transformers import batched_convolution

    each = list(dict.fromkeys(forms))
    codes = [float(each.index(form)) for form in forms]

    def function(self: Any, x: Any, *, dim: str, **parameters: Any) -> Any:
        kernel = f"{dim}_kernel"
        lags = ptx.as_xtensor(pt.arange(self.l_max, dtype="float64"), dims=(kernel,))
        weeks = parameters.pop(WEEKS)

        def weights(number: int, at: Callable[[Any], Any]) -> Any:
            own = [short(item.name) for item in each[number].parameters]
            given = _at(at, {name: parameters[name] for name in own})
            found = each[number].graph_weights(lags, at(weeks), **given) * (lags < at(weeks))
            return found / found.sum(dim=kernel)

        shares = _by_form(codes, weights)
        return batched_convolution(x, shares, dim=dim, kernel_dim=kernel)

    known_as = "open_mixed_adstock" if open_lag else MIXED_ADSTOCK
    data = {WEEKS: ByChannel(())}
    made = transformation(parameters, AdstockTransformation, function, known_as, data)
    made.forms = [form.name for form in forms]
    return made


def _by_form(codes: Sequence[float], make: Callable[[int, Callable[[Any], Any]], Any]) -> Any:
    """Put together what each form makes of its own channels.

    Parameters
    ----------
    codes
        Number of each channel's form.
    make
        Takes a form's number and what picks its channels.
    """
    import pytensor.xtensor as ptx

    parts, order = [], []
    for number in range(int(max(codes)) + 1):
        places = [place for place, code in enumerate(codes) if code == number]
        parts.append(make(number, _picker(places)))
        order += places
    joined = ptx.concat(parts, dim=CHANNEL) if len(parts) > 1 else parts[0]
    back = [order.index(place) for place in range(len(order))]
    return joined if back == sorted(back) else joined.isel({CHANNEL: back})


def _picker(places: Sequence[int]) -> Callable[[Any], Any]:
    whole = slice(places[0], places[-1] + 1)
    at = whole if len(places) == whole.stop - whole.start else list(places)
    return lambda values: values.isel({CHANNEL: at})


def _at(pick: Callable[[Any], Any], parameters: dict[str, Any]) -> dict[str, Any]:
    return {name: pick(value) for name, value in parameters.items()}
