"""Classes for PyMC-Marketing of the forms that it does not have itself, or not as they are needed.

PyMC-Marketing reads the names of the parameters from the signature of `function`.
"""

from collections.abc import Callable, Mapping
from functools import cache
from inspect import Parameter as Argument
from inspect import Signature
from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Additive, Adstock, Frame, Saturation, defaults, short

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


def own_effect(form: Additive, frame: Frame, priors: Mapping[str, Any]) -> Any:
    """Return the part of a form that PyMC-Marketing does not have, as an effect on its mean.

    Parameters
    ----------
    form
        With terms of its own (`Additive.dim`).
    frame
        Of the training weeks; later weeks go on from them.
    priors
        Of the parameters that the terms hang on, by name.
    """
    return _effect_class()(form=form.name, dim=form.dim).of(form, frame, priors)


@cache
def _effect_class() -> type:
    import pymc as pm
    import pymc.dims as pmd
    import pytensor.xtensor as ptx
    from pymc_marketing.mmm.additive_effect import MuEffect

    class Terms(MuEffect):
        """Terms that are data by week, times coefficients that parameters give."""

        form: str
        dim: str
        _of: Any = None

        def of(self, *of: Any) -> "Terms":
            self._of = of
            return self

        @property
        def contribution_var_name(self) -> str:
            return f"{self.form}_contribution"

        def create_data(self, mmm: Any) -> None:
            form, frame, _ = self._of
            model, (parameter,) = mmm.model, [item for item in form.parameters if item.items]
            model.add_coord(self.dim, parameter.items)
            pm.Data(f"{self.form}_terms", form.basis(_days(model), frame), dims=("date", self.dim))

        def create_effect(self, mmm: Any) -> Any:
            form, _, priors = self._of
            parameters = {
                short(item.name): priors[item.name].create_variable(item.variable, xdist=True)
                for item in form.parameters
                if item.name in priors
            }
            model = mmm.model
            terms = ptx.as_xtensor(model[f"{self.form}_terms"], dims=("date", self.dim))
            moves = (terms * form.graph_coefficients(**parameters)).sum(dim=self.dim)
            return pmd.Deterministic(self.contribution_var_name, moves)

        def set_data(self, mmm: Any, model: Any, X: Any) -> None:
            form, frame, _ = self._of
            pm.set_data({f"{self.form}_terms": form.basis(_days(model), frame)}, model=model)

    return Terms


def _days(model: Any) -> np.ndarray:
    return np.asarray(model.coords["date"]).astype("datetime64[D]")


def _class(form: Any, base: type, function: Callable[..., Any], known_as: str) -> type:
    from pymc_extras.prior import Prior

    priors = {name: Prior(of, **values) for name, (of, values) in defaults(form).items()}
    taken = [Argument(name, Argument.POSITIONAL_OR_KEYWORD) for name in ("self", "x", *priors)]
    function.__signature__ = Signature([*taken, Argument("dim", Argument.KEYWORD_ONLY)])
    content = {"function": function, "default_priors": priors, "lookup_name": known_as}
    # Traces name classes by the door of `fits`: files inside may move.
    return type(known_as, (base,), content | {"__module__": "mmm_demo.model"})
