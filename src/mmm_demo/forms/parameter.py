"""What a form says of a parameter: its name, the priors it may have, its default prior."""

from collections.abc import Mapping
from dataclasses import dataclass

# Distributions that a prior may be, with their own parameters, by the support they have.
REAL = {"Normal": ("mu", "sigma"), "Laplace": ("mu", "b"), "StudentT": ("nu", "mu", "sigma")}
POSITIVE = {
    "HalfNormal": ("sigma",),
    "Gamma": ("alpha", "beta"),
    "LogNormal": ("mu", "sigma"),
    "Exponential": ("lam",),
}
UNIT = {"Beta": ("alpha", "beta")}

# Of what a parameter may have one value each; the graph calls its dimensions so.
CHANNEL, CONTROL, MODE, EVENT = "channel", "control", "fourier_mode", "event"


@dataclass(frozen=True, eq=False)
class Parameter:
    """A free parameter, on the model's scale: sales and spend divided by their scaling.

    Attributes
    ----------
    name
        As experiments call it and its prior.
    meaning
        What it is, in words.
    support
        Distributions that its prior may be.
    default
        The project's default prior: distribution and its parameters.
    dim
        Of what there is one value each (`CHANNEL`, `CONTROL`, `MODE`, `EVENT` or the form's own);
        empty for a single value.
    stored
        As traces call it, where that is another name.
    in_sales
        Whether it is an amount of sales.
    items
        What there is one value each of, where the form says it. Such values say something only
        together.
    soft
        Of a positive one that data may tell to be next to nothing: the unit above which the sampler
        moves along the value itself, below it along its logarithm. 0: always along the logarithm.
    only
        Places of the channels that have it, where not all do.
    """

    name: str
    meaning: str
    support: Mapping[str, tuple[str, ...]]
    default: tuple[str, Mapping[str, float]]
    dim: str = ""
    stored: str = ""
    in_sales: bool = False
    items: tuple[str, ...] = ()
    soft: float = 0.0
    only: tuple[int, ...] | None = None

    @property
    def axis(self) -> str:
        """Dimension in a trace and in the graph; empty for a single value."""
        return self.dim if self.only is None else f"{self.name}_{self.dim}"

    @property
    def variable(self) -> str:
        """Name in a trace and in the graph."""
        return self.stored or self.name
