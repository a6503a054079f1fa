"""Stacking weights: cases whose answer is known, and the optimum found another way."""

import numpy as np
import pytest

from mmm_demo.evidence.stacking import stacking_weights

RNG = np.random.default_rng(2)
BASE = RNG.normal(-12, 1, 156)


def test_two_models_that_know_half_of_the_weeks_each_share() -> None:
    first = np.arange(156) < 78
    found = stacking_weights({"a": BASE + first, "b": BASE + ~first, "worse": BASE - 1})
    assert found == pytest.approx({"a": 0.5, "b": 0.5, "worse": 0.0}, abs=1e-4)


def test_worse_model_in_every_week_adds_nothing() -> None:
    assert stacking_weights({"a": BASE, "b": BASE - 0.5})["a"] == pytest.approx(1.0, abs=1e-4)


def test_twins_share_and_a_single_model_has_all() -> None:
    assert stacking_weights({"a": BASE, "b": BASE}) == pytest.approx({"a": 0.5, "b": 0.5})
    assert stacking_weights({"a": BASE}) == {"a": 1.0}


def test_weights_of_many_models_are_the_optimum() -> None:
    """Against expectation-maximisation, which climbs to the same optimum without a gradient."""
    models = {f"m{i}": BASE + RNG.normal(0, 0.3, 156) for i in range(12)}
    density = np.exp(np.stack(list(models.values())).T)
    weights = np.full(12, 1 / 12)
    for _ in range(20_000):
        weights = weights * (density / (density @ weights)[:, None]).mean(axis=0)
    found = np.array(list(stacking_weights(models).values()))
    assert found.sum() == pytest.approx(1.0)
    assert np.log(density @ found).sum() == pytest.approx(np.log(density @ weights).sum(), abs=1e-3)


def test_unit_of_sales_does_not_matter() -> None:
    """In cents, each density is a hundredth of that in dollars; some would be zero in floats."""
    models = {"a": BASE, "b": BASE + RNG.normal(0, 0.5, 156)}
    far = {name: values - 900 for name, values in models.items()}
    assert stacking_weights(far) == pytest.approx(stacking_weights(models), abs=1e-6)


def test_nothing_is_stacked_that_was_not_measured() -> None:
    with pytest.raises(ValueError, match="no model"):
        stacking_weights({})
    with pytest.raises(ValueError, match="finite log density of every week"):
        stacking_weights({"a": BASE, "b": np.append(BASE[:-1], np.nan)})
    with pytest.raises(ValueError, match="same shape"):
        stacking_weights({"a": BASE, "b": BASE[:-1]})
