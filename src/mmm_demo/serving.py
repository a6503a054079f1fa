"""What MLflow loads as a pyfunc: `mlflow.pyfunc.load_model("models:/mmm_demo@champion")`.

Reads the version's data files and no pickle. The project's own way to a plan does not go through
here: `registry.load_champion` proves the files first and executes nothing that is stored.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from mmm_demo.checks.proof import TRACE, read_config
from mmm_demo.fits.fitted import FittedModel
from mmm_demo.fits.trace import load_trace


@dataclass(frozen=True)
class Predictor:
    """A fitted model with the face that MLflow expects."""

    fitted: FittedModel

    def predict(self, weeks: pd.DataFrame, params: dict[str, Any] | None = None) -> pd.DataFrame:
        """Predict sales with a 94 % interval (see `FittedModel.predict`).

        Parameters
        ----------
        weeks
            Date, spend and controls by week.
        params
            `seed` of the predictive draws.
        """
        return self.fitted.predict(weeks, seed=int((params or {}).get("seed", 0)))


def _load_pyfunc(data_path: str) -> Predictor:
    folder = Path(data_path)
    experiment = read_config(folder)
    return Predictor(FittedModel(experiment.model, load_trace(folder / TRACE)))
