"""What a prior may be, and the project's own default priors."""

import math
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import ConfigDict
from pydantic.dataclasses import dataclass

from mmm_demo.forms.kinds import Form
from mmm_demo.forms.parameter import CONTROL, REAL, Parameter

STRICT = ConfigDict(extra="forbid", allow_inf_nan=False)

LOCATIONS = {"mu"}  # every other parameter is a scale, shape or rate and must be positive
# Controls are columns, not a form.
CONTROL_EFFECT = Parameter(
    "gamma_control",
    "effect of one standard deviation of the control",
    REAL,
    ("Normal", {"mu": 0.0, "sigma": 0.1}),
    CONTROL,
    in_sales=True,
)


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


# Kinds of forms, and the controls, in the order in which priors are written.
PARTS = (
    *("baseline", "adstock", "saturation", "controls", "seasonality"),
    *("event_effects", "noise"),
)


def parameters_of(
    form: Callable[[str], Form], parts: Iterable[str] = PARTS
) -> dict[str, Parameter]:
    """Return every parameter that a model has a prior of, by name.

    Parameters
    ----------
    form
        Gives the model's form of a kind.
    parts
        Whose parameters, in their order.
    """
    of = [(CONTROL_EFFECT,) if part == "controls" else form(part).parameters for part in parts]
    return {item.name: item for items in of for item in items}


# PyMC-Marketing's own defaults put 25 % of all prior sales below zero and 42 % above three times
# the maximum (Normal(0, 2) intercept, HalfNormal(2) effects on a target scaled to 1). These say
# instead: without media, sales are somewhere between nothing and their maximum; one channel at
# full saturation rarely explains more than half of the best week; controls and seasonality move
# sales by tenths of the maximum.
def default_prior(parameter: Parameter) -> PriorConfig:
    """Return the project's default prior of a parameter."""
    return PriorConfig(*parameter.default)


def read_prior(parameter: Parameter, given: object, length: int | None) -> PriorConfig:
    """Read one prior as an experiment file writes it.

    Parameters
    ----------
    parameter
        Of the model.
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
    if isinstance(given, PriorConfig):
        given = prior_to_dict(given)
    if not isinstance(given, Mapping) or "distribution" not in given:
        raise ValueError(f"must be a mapping with a distribution, got {given!r}")
    rest = dict(given)
    distribution, rationale = rest.pop("distribution"), str(rest.pop("rationale", "")).strip()
    allowed = parameter.support
    if not isinstance(distribution, str) or distribution not in allowed:
        raise ValueError(f"distribution {distribution!r} not possible; valid: {', '.join(allowed)}")
    if set(rest) != set(allowed[distribution]):
        wanted = ", ".join(allowed[distribution])
        raise ValueError(
            f"{distribution} takes {wanted}; got {', '.join(map(str, rest)) or 'none'}"
        )
    values = {key: _read_value(key, rest[key], length) for key in allowed[distribution]}
    prior = PriorConfig(distribution, values, rationale)
    usual = default_prior(parameter)
    if (distribution, values) != (usual.distribution, usual.parameters):
        if length == 0:
            raise ValueError("the model has no such parameter; leave the prior out")
        if not rationale:
            raise ValueError(f"{prior} differs from the default {usual}; say why: `rationale`")
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
