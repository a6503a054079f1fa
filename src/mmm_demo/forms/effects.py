"""Parts of the mean that PyMC-Marketing does not have, in the way that it takes such parts."""

from collections.abc import Mapping
from functools import cache
from typing import Any

import numpy as np

from mmm_demo.forms.kinds import Additive, Frame, short
from mmm_demo.forms.registry import additive


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
