"""Every form by its name: the one list. A new form is a file beside the others and a line here."""

from collections.abc import Iterable, Mapping
from typing import Any

from mmm_demo.forms.adstock.binomial import Binomial
from mmm_demo.forms.adstock.delayed import Delayed
from mmm_demo.forms.adstock.geometric import Geometric
from mmm_demo.forms.adstock.no_carryover import NoCarryover
from mmm_demo.forms.autocorrelation import RHO, autocorrelated
from mmm_demo.forms.baseline.drift import Drift
from mmm_demo.forms.baseline.static import Static
from mmm_demo.forms.baseline.trend import Trend
from mmm_demo.forms.event_effects.pooled import Pooled
from mmm_demo.forms.kinds import Additive, Form
from mmm_demo.forms.noise.normal import Normal
from mmm_demo.forms.noise.student_t import StudentT
from mmm_demo.forms.parameter import Parameter
from mmm_demo.forms.saturation.hill import Hill
from mmm_demo.forms.saturation.linear import Linear
from mmm_demo.forms.saturation.logistic import Logistic
from mmm_demo.forms.saturation.michaelis_menten import MichaelisMenten
from mmm_demo.forms.saturation.s_shaped import SShaped
from mmm_demo.forms.seasonality.yearly import Yearly


def _by_name(forms: Iterable[Form]) -> dict[str, Form]:
    return {form.name: form for form in forms}


# By kind, which is also the setting of a model that names one; the first is the default.
FORMS: dict[str, dict[str, Form]] = {
    "baseline": _by_name([Static(), Trend(), Drift()]),
    "adstock": _by_name([Geometric(), Binomial(), Delayed(), NoCarryover()]),
    "saturation": _by_name([Logistic(), MichaelisMenten(), SShaped(), Hill(), Linear()]),
    "seasonality": _by_name([Yearly()]),
    "event_effects": _by_name([Pooled()]),
    "noise": _by_name([Normal(), StudentT()]),
}

# Setting that says whether residuals hang together from week to week.
AUTOCORRELATION = "autocorrelation"


def find(kind: str, name: str) -> Any:
    """Return a form.

    Raises
    ------
    ValueError
        When there is none of this name; it names those that there are.
    """
    if name not in FORMS[kind]:
        raise ValueError(f"unknown {kind} {name!r}; known: {', '.join(FORMS[kind])}")
    return FORMS[kind][name]


def chosen(kind: str, settings: Mapping[str, Any]) -> Any:
    """Return the form of a kind that a model's settings choose; the default where they are silent.

    Raises
    ------
    ValueError
        When there is none of this name.
    """
    form = find(kind, settings.get(kind, default(kind)))
    return autocorrelated(form) if kind == "noise" and settings.get(AUTOCORRELATION) else form


def default(kind: str) -> str:
    """Return the name of the form that a model has when it names none."""
    return next(iter(FORMS[kind]))


def every_parameter() -> dict[str, Parameter]:
    """Return the parameters of all forms by name."""
    forms = [form for kind in FORMS.values() for form in kind.values()]
    return {item.name: item for form in forms for item in form.parameters} | {RHO.name: RHO}


def additive(name: str) -> Additive:
    """Return the additive form of a name, which no two of them share."""
    forms = [form for kind in FORMS.values() for form in kind.values()]
    return next(form for form in forms if isinstance(form, Additive) and form.name == name)


def pooled_values() -> dict[str, tuple[str, str]]:
    """Return of values that come in units of a size: that size and their form, by their names."""
    forms = [form for kind in FORMS.values() for form in kind.values()]
    own = [form for form in forms if isinstance(form, Additive) and form.pooled]
    return {form.pooled[1].variable: (form.pooled[0].variable, form.name) for form in own}


# The config's name -> the trace's.
STORED_NAMES = {name: item.stored for name, item in every_parameter().items() if item.stored}
