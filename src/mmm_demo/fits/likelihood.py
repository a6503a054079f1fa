"""Likelihoods that PyMC-Marketing does not have itself, as its model takes them."""

from collections.abc import Mapping
from typing import Any

import pymc.dims as pmd
from pymc_extras.prior import Prior
from pymc_marketing.serialization import serialization

from mmm_demo.forms.kinds import Noise, short
from mmm_demo.forms.registry import AUTOCORRELATION, chosen


class OwnLikelihood:  # no dataclass: PyMC-Marketing takes apart what these hold
    """A noise by its `law`.

    Parameters
    ----------
    noise
        What it says of each week, given those before it.
    priors
        Of its parameters, by the names that they have in the graph.
    """

    def __init__(self, noise: Noise, priors: Mapping[str, Any]) -> None:
        self.noise, self.priors = noise, priors

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OwnLikelihood) and vars(self) == vars(other)

    __hash__ = None

    @property
    def distribution(self) -> str:
        """What the library knows it as: it asks whether `mu` is on the scale of sales."""
        return self.noise.distribution

    def create_likelihood_variable(
        self, name: str, mu: Any, observed: Any, xdist: bool = True
    ) -> Any:
        """Return the observed variable, in the model that is being built."""
        parameters = {
            short(parameter): prior.create_variable(parameter, xdist=xdist)
            for parameter, prior in self.priors.items()
        }
        law = self.noise.law(observed, mu, **parameters)
        return getattr(pmd, self.distribution)(name, **law, observed=observed)

    def to_dict(self) -> dict[str, Any]:
        """Return it as traces keep it."""
        priors = {name: prior.to_dict() for name, prior in self.priors.items()}
        correlated = not self.noise.independent
        return {"noise": self.noise.name, AUTOCORRELATION: correlated, "priors": priors}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "OwnLikelihood":
        """Return what `to_dict` wrote."""
        priors = {name: Prior.from_dict(prior) for name, prior in data["priors"].items()}
        return cls(chosen("noise", data), priors)


# Traces name classes by the door of `fits`: files inside may move.
OwnLikelihood.__module__ = "mmm_demo.model"
serialization.register(OwnLikelihood)
