"""Classes for PyMC-Marketing of the forms that it does not have itself, or not as they are needed.

PyMC-Marketing reads the names of the parameters from the signature of `function`.
"""

from collections.abc import Callable
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

from mmm_demo.forms.kinds import Adstock, Saturation, defaults

LAG_DATA = "adstock_weeks"


def own_saturation(form: Saturation, response: Callable[..., Any], known_as: str = "") -> type:
    """Return a class for a saturation that the library does not have.

    Parameters
    ----------
    form
        Whose parameters it has.
    response
        Height times curve in the graph: of scaled spend `x` and the form's parameters.
    known_as
        Name by which traces know the class, wherever its file stands; the form's by default.
    """
    from pymc_marketing.mmm import SaturationTransformation
    from pymc_marketing.serialization import serialization

    def function(self: Any, x: Any, *, dim: str | None = None, **parameters: Any) -> Any:
        return response(x, **parameters)

    made = _class(form, SaturationTransformation, function, known_as or form.name)
    return serialization.register(made)  # fits are stored with it


def own_adstock(form: Adstock, open_lag: bool) -> type:
    """Return a class for an adstock whose weeks may be data of the model.

    Weights from that week on are zero, so mean and draws are those of the shorter adstock.

    Parameters
    ----------
    form
        Whose weights it has.
    open_lag
        Whether the number of weeks is data, up to the class's `l_max`; else it is that.
    """
    import pymc as pm
    import pytensor.tensor as pt
    import pytensor.xtensor as ptx
    from pymc_marketing.mmm import AdstockTransformation
    from pymc_marketing.mmm.transformers import batched_convolution
    from pymc_marketing.serialization import serialization

    def function(self: Any, x: Any, *, dim: str, **parameters: Any) -> Any:
        kernel, most = f"{dim}_kernel", float(self.l_max)
        weeks = ptx.as_xtensor(pm.Data(LAG_DATA, most) if open_lag else most)
        lags = ptx.as_xtensor(pt.arange(self.l_max, dtype="float64"), dims=(kernel,))
        by_channel = {name: ptx.as_xtensor(value) for name, value in parameters.items()}
        weights = form.graph_weights(lags, weeks, **by_channel) * (lags < weeks)
        weights = weights / weights.sum(dim=kernel)
        return batched_convolution(x, weights, dim=dim, kernel_dim=kernel)

    known_as = f"open_{form.name}" if open_lag else form.name
    made = _class(form, AdstockTransformation, function, known_as)
    return made if open_lag else serialization.register(made)


def _class(form: Any, base: type, function: Callable[..., Any], known_as: str) -> type:
    from pymc_extras.prior import Prior

    priors = {name: Prior(of, **values) for name, (of, values) in defaults(form).items()}
    taken = [Argument(name, Argument.POSITIONAL_OR_KEYWORD) for name in ("self", "x", *priors)]
    function.__signature__ = Signature([*taken, Argument("dim", Argument.KEYWORD_ONLY)])
    content = {"function": function, "default_priors": priors, "lookup_name": known_as}
    # Traces name classes by the door of `fits`: files inside may move.
    return type(known_as, (base,), content | {"__module__": "mmm_demo.model"})
