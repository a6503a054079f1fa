"""The version as MLflow serves it: `mlflow.pyfunc.load_model("models:/mmm_demo@champion")`."""

import mlflow
import numpy as np
import pandas as pd
import pytest
from conftest import Demo
from mlflow.exceptions import MlflowException
from mlflow.models import get_model_info

from mmm_demo.fits.fitted import WEEK, FittedModel
from versions import run_promotion

URI = "models:/mmm_demo@champion"


@pytest.fixture
def served(make_version, store) -> mlflow.pyfunc.PyFuncModel:
    """The champion, loaded the way a user of MLflow does; pickle is forbidden in this store."""
    make_version()
    run_promotion()
    return mlflow.pyfunc.load_model(URI)


def weeks_after(fitted: FittedModel, count: int) -> pd.DataFrame:
    """Return weeks after the data as a user would send them: no sales, spend of the last weeks."""
    weeks = fitted.table.drop(columns="Sales").tail(count).reset_index(drop=True)
    last = pd.Timestamp(fitted.weeks[-1])
    return weeks.assign(Week=[last + WEEK * (i + 1) for i in range(count)])


def test_the_champion_predicts_mean_and_interval_in_sales_units(served, lean_model):
    weeks = weeks_after(lean_model, 4)
    sent = weeks.copy(deep=True)
    answer = served.predict(sent)
    pd.testing.assert_frame_equal(sent, weeks)
    assert list(answer) == ["Week", "mean", "lower_94", "upper_94"]
    assert (answer["Week"].to_numpy() == weeks["Week"].to_numpy()).all()
    assert (answer["lower_94"] < answer["mean"]).all()
    assert (answer["mean"] < answer["upper_94"]).all()
    assert (
        answer["mean"].between(0.3 * lean_model.observed.min(), 2 * lean_model.observed.max()).all()
    )
    # The very model of the fit, so the very numbers.
    pd.testing.assert_frame_equal(answer, lean_model.predict(weeks), check_dtype=False)


def test_training_weeks_are_predicted_too_and_the_seed_is_a_parameter(served, lean_model):
    weeks = lean_model.table.drop(columns="Sales").iloc[20:24]
    seeded = served.predict(weeks, params={"seed": 7})
    pd.testing.assert_frame_equal(seeded, lean_model.predict(weeks, seed=7), check_dtype=False)
    assert not np.allclose(seeded["lower_94"], served.predict(weeks)["lower_94"], rtol=1e-12)


SPOILED = {
    "a column missing": (lambda w: w.drop(columns="TV"), "missing inputs"),
    "text for spend": (lambda w: w.assign(TV="much"), "Incompatible input types"),
    "dates for spend": (lambda w: w.assign(TV=w["Week"]), "Incompatible input types"),
    "numbers for dates": (lambda w: w.assign(Week=1.5), "Incompatible input types"),
}


def test_the_signature_is_enforced(served, lean_model):
    weeks = weeks_after(lean_model, 2)
    for spoil, message in SPOILED.values():
        with pytest.raises(MlflowException, match=message):
            served.predict(spoil(weeks))
    with pytest.raises(MlflowException, match="seed"):
        served.predict(weeks, params={"seed": "seven"})
    with pytest.raises(ValueError, match="negative spend in TV"):
        served.predict(weeks.assign(TV=-1.0))


def test_the_signature_names_every_column_with_its_type(served, demo: Demo):
    signature = get_model_info(URI).signature
    model = demo.experiment.model
    numbers = dict.fromkeys((*model.channel_columns, *model.control_columns), "double")
    inputs = {item.name: item.type.name for item in signature.inputs}
    assert inputs == {"Week": "datetime"} | numbers
    outputs = {item.name: item.type.name for item in signature.outputs}
    intervals = dict.fromkeys(("mean", "lower_94", "upper_94"), "double")
    assert outputs == {"Week": "datetime"} | intervals
    assert [item.name for item in signature.params] == ["seed"]
