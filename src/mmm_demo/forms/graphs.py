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
    training = [str(day) for day in frame.training]
    calendar = [(name, str(first), str(last)) for name, first, last in frame.calendar]
    terms = effect_class()(form=form.name, training=training, calendar=calendar)
    return terms.drawn_from(priors)


@cache
def effect_class() -> type:
    """Return the class of such effects, which PyMC-Marketing stores and loads with a model."""
    import pymc as pm
    import pymc.dims as pmd
    import pytensor.xtensor as ptx
    from pymc_extras.prior import Prior
    from pymc_marketing.mmm.additive_effect import MuEffect

    class Terms(MuEffect):
        """Terms that are data by week, times coefficients that parameters give."""

        __module__ = "mmm_demo.model"
        __qualname__ = "Terms"

        form: str
        training: list[str]
        calendar: list[tuple[str, str, str]]
        _priors: Any = None

        def drawn_from(self, priors: Mapping[str, Any]) -> "Terms":
            self._priors = priors
            return self

        def to_dict(self) -> dict[str, Any]:
            priors = {name: prior.to_dict() for name, prior in self._priors.items()}
            return super().to_dict() | {"priors": priors}

        @classmethod
        def from_dict(cls, data: dict[str, Any]) -> "Terms":
            priors = {name: Prior.from_dict(prior) for name, prior in data["priors"].items()}
            stored = {name: data[name] for name in ("form", "training", "calendar")}
            return cls(**stored).drawn_from(priors)

        @property
        def contribution_var_name(self) -> str:
            return f"{self.form}_contribution"

        @property
        def _of(self) -> Additive:
            from mmm_demo.forms.registry import additive

            return additive(self.form)

        def _basis(self, model: Any) -> np.ndarray:
            days = np.asarray(model.coords["date"]).astype("datetime64[D]")
            return self._of.basis(days, self._frame)

        @property
        def _frame(self) -> Frame:
            calendar = tuple(
                (name, np.datetime64(first, "D"), np.datetime64(last, "D"))
                for name, first, last in self.calendar
            )
            return Frame(np.array(self.training, dtype="datetime64[D]"), 0, calendar)

        def create_data(self, mmm: Any) -> None:
            model, dim = mmm.model, self._of.dim
            (items,) = (item.items for item in self._of.parameters if item.dim == dim)
            model.add_coord(dim, items or self._frame.events)
            pm.Data(f"{self.form}_terms", self._basis(model), dims=("date", dim))

        def create_effect(self, mmm: Any) -> Any:
            form, model = self._of, mmm.model
            parameters = {
                short(item.name): self._priors[item.name].create_variable(item.variable, xdist=True)
                for item in form.parameters
                if item.name in self._priors
            }
            terms = ptx.as_xtensor(model[f"{self.form}_terms"], dims=("date", form.dim))
            moves = (terms * form.graph_coefficients(**parameters)).sum(dim=form.dim)
            return pmd.Deterministic(self.contribution_var_name, moves)

        def set_data(self, mmm: Any, model: Any, X: Any) -> None:
            pm.set_data({f"{self.form}_terms": self._basis(model)}, model=model)

    return Terms


def _class(form: Any, base: type, function: Callable[..., Any], known_as: str) -> type:
    from pymc_extras.prior import Prior

    priors = {name: Prior(of, **values) for name, (of, values) in defaults(form).items()}
    taken = [Argument(name, Argument.POSITIONAL_OR_KEYWORD) for name in ("self", "x", *priors)]
    function.__signature__ = Signature([*taken, Argument("dim", Argument.KEYWORD_ONLY)])
    content = {"function": function, "default_priors": priors, "lookup_name": known_as}
    # Traces name classes by the door of `fits`: files inside may move.
    return type(known_as, (base,), content | {"__module__": "mmm_demo.model"})
