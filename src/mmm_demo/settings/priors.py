"""What a prior may be, and the project's own default priors."""

import math
from collections.abc import Mapping
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

# Parameters of each distribution that a prior may use, by the support it has.
REAL = {"Normal": ("mu", "sigma"), "Laplace": ("mu", "b"), "StudentT": ("nu", "mu", "sigma")}
POSITIVE = {
    "HalfNormal": ("sigma",),
    "Gamma": ("alpha", "beta"),
    "LogNormal": ("mu", "sigma"),
    "Exponential": ("lam",),
}
UNIT = {"Beta": ("alpha", "beta")}
LOCATIONS = {"mu"}  # every other parameter is a scale, shape or rate and must be positive
SUPPORTS = {
    "intercept": REAL | POSITIVE,
    "adstock_alpha": UNIT,
    "saturation_lam": POSITIVE,
    "saturation_beta": POSITIVE,
    "gamma_control": REAL,
    "gamma_fourier": REAL,
    "y_sigma": POSITIVE,
}


@dataclass(frozen=True, config=STRICT)
class PriorConfig:
    """One prior on the model's scale: sales divided by their maximum, standardised controls.

    Attributes
    ----------
    distribution
        Name of the distribution, as PyMC spells it.
    parameters
        Its parameters; a list gives one value per channel, control or Fourier mode.
    rationale
        Why it differs from the project's default; required when it does.
    """

    distribution: str
    parameters: dict[str, float | tuple[float, ...]]
    rationale: str = ""

    def __str__(self) -> str:
        """Show the prior as it would be written in PyMC."""
        inside = ", ".join(f"{name}={_short(value)}" for name, value in self.parameters.items())
        return f"{self.distribution}({inside})"


def _short(value: float | tuple[float, ...]) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f"{item:g}" for item in value) + "]"
    return f"{value:g}"


# PyMC-Marketing's own defaults put 25 % of all prior sales below zero and 42 % above three times
# the maximum (Normal(0, 2) intercept, HalfNormal(2) effects on a target scaled to 1). These say
# instead: without media, sales are somewhere between nothing and their maximum; one channel at
# full saturation rarely explains more than half of the best week; controls and seasonality move
# sales by tenths of the maximum.
DEFAULT_PRIORS: dict[str, PriorConfig] = {
    "intercept": PriorConfig("Normal", {"mu": 0.5, "sigma": 0.25}),
    "adstock_alpha": PriorConfig("Beta", {"alpha": 1.0, "beta": 3.0}),
    "saturation_lam": PriorConfig("Gamma", {"alpha": 3.0, "beta": 1.0}),
    "saturation_beta": PriorConfig("HalfNormal", {"sigma": 0.25}),
    "gamma_control": PriorConfig("Normal", {"mu": 0.0, "sigma": 0.1}),
    "gamma_fourier": PriorConfig("Laplace", {"mu": 0.0, "b": 0.1}),
    "y_sigma": PriorConfig("HalfNormal", {"sigma": 0.15}),
}


def read_prior(name: str, given: object, length: int | None) -> PriorConfig:
    """Read one prior as an experiment file writes it.

    Parameters
    ----------
    name
        Parameter of the model, a key of `SUPPORTS`.
    given
        Mapping with `distribution`, its parameters and perhaps a `rationale`.
    length
        Number of values that a list must have; None where only one number is possible, 0 where
        the model has no such parameter.

    Raises
    ------
    ValueError
        With the value and what is valid.
    """
    if name not in SUPPORTS:
        raise ValueError(f"unknown prior; valid: {', '.join(SUPPORTS)}")
    if isinstance(given, PriorConfig):
        given = prior_to_dict(given)
    if not isinstance(given, Mapping) or "distribution" not in given:
        raise ValueError(f"must be a mapping with a distribution, got {given!r}")
    rest = dict(given)
    distribution, rationale = rest.pop("distribution"), str(rest.pop("rationale", "")).strip()
    allowed = SUPPORTS[name]
    if not isinstance(distribution, str) or distribution not in allowed:
        raise ValueError(f"distribution {distribution!r} not possible; valid: {', '.join(allowed)}")
    if set(rest) != set(allowed[distribution]):
        wanted = ", ".join(allowed[distribution])
        raise ValueError(
            f"{distribution} takes {wanted}; got {', '.join(map(str, rest)) or 'none'}"
        )
    values = {key: _read_value(key, rest[key], length) for key in allowed[distribution]}
    prior = PriorConfig(distribution, values, rationale)
    default = DEFAULT_PRIORS[name]
    if (distribution, values) != (default.distribution, default.parameters):
        if length == 0:
            raise ValueError("the model has no such parameter; leave the prior out")
        if not rationale:
            raise ValueError(f"{prior} differs from the default {default}; say why: `rationale`")
    return prior


def _read_value(key: str, value: object, length: int | None) -> float | tuple[float, ...]:
    values = value if isinstance(value, list | tuple) else [value]
    for item in values:
        if isinstance(item, bool) or not isinstance(item, int | float) or not math.isfinite(item):
            raise ValueError(f"{key} must be a finite number, got {item!r}")
        if key not in LOCATIONS and not item > 0:
            raise ValueError(f"{key} must be positive, got {item!r}")
    if not isinstance(value, list | tuple):
        return float(values[0])
    if length is None:
        raise ValueError(f"{key} takes one number, got a list of {len(values)}")
    if length and len(values) != length:
        raise ValueError(f"{key} needs {length} values, one for each, got {len(values)}")
    return tuple(float(item) for item in values)


def prior_to_dict(prior: PriorConfig) -> dict[str, Any]:
    """Return a prior in the flat form that experiment files use."""
    flat = {"distribution": prior.distribution}
    flat |= {k: list(v) if isinstance(v, tuple) else v for k, v in prior.parameters.items()}
    return flat | ({"rationale": prior.rationale} if prior.rationale else {})
