"""Draws against draws: equal bits, the same posterior, another one, and what cannot be told."""

import json

import numpy as np
import pytest
import xarray as xr

from helpers import convergent_trace, make_experiment
from mmm_demo.evidence.reproduce import (
    ANOTHER,
    EQUAL,
    NOT_ASSESSABLE,
    SAME,
    Change,
    Distance,
    Reproduction,
    changed,
    compare_draws,
)
from mmm_demo.settings.experiment import free_parameters

MODEL = make_experiment().model
PARAMETERS = free_parameters(MODEL)
NUMBA = Change("numba", "0.67", "0.68")


def draws(seed: int = 1, **settings: int) -> xr.DataTree:
    return convergent_trace(MODEL, seed=seed, **settings)


def edited(trace: xr.DataTree, name: str, values: xr.DataArray) -> xr.DataTree:
    """Return a copy of a trace with one parameter's draws replaced."""
    posterior = trace["posterior"].to_dataset().copy(deep=True)
    posterior[name] = values
    stats = trace["sample_stats"].to_dataset()
    return xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})


def result(first: xr.DataTree, again: xr.DataTree) -> Reproduction:
    return Reproduction("a run", compare_draws(first, again, PARAMETERS), ())


def test_equal_draws_are_equal_bit_for_bit():
    done = result(draws(), draws())
    assert done.result == EQUAL
    assert done.reproduced
    assert done.sentences() == ["The draws are equal bit for bit."]


def test_one_last_bit_of_one_draw_is_seen():
    first = draws()
    values = first["posterior"]["y_sigma"].copy(deep=True)
    values[2, 17] = np.nextafter(values[2, 17], 9)
    done = result(first, edited(first, "y_sigma", values))
    assert done.result == SAME
    assert done.distance.sds < 1e-12
    assert not done.reproduced  # nothing explains it


@pytest.mark.parametrize("count", [{"draws": 499}, {"chains": 3}])
def test_fewer_draws_are_not_equal_but_can_be_compared(count):
    assert result(draws(), draws(seed=2, **count)).result == SAME


def test_another_seed_gives_the_same_posterior():
    done = result(draws(seed=1), draws(seed=2))
    assert done.result == SAME
    assert 0.5 < done.distance.errors < done.distance.limit
    assert "same posterior" in done.sentences()[0]


def test_hardly_ever_are_two_fits_of_one_posterior_called_different():
    wrong = [result(draws(seed), draws(seed + 100)).result != SAME for seed in range(8)]
    assert sum(wrong) <= 1


@pytest.mark.parametrize(
    ("change", "where"),
    [
        (lambda x: x + 0.3, "saturation_lam[Radio]"),
        (lambda x: x * 1.4, "the spread of saturation_lam[Radio]"),
    ],
    ids=["moved", "wider"],
)
def test_a_parameter_that_moved_or_spread_is_another_posterior(change, where):
    first, again = draws(seed=1), draws(seed=2)
    values = again["posterior"]["saturation_lam"].copy(deep=True)
    values.loc[{"channel": "Radio"}] = change(values.sel(channel="Radio"))
    done = Reproduction(
        "a run", compare_draws(first, edited(again, "saturation_lam", values), PARAMETERS), (NUMBA,)
    )
    assert done.result == ANOTHER
    assert done.distance.where == where
    assert not done.reproduced  # a reason does not make it the same posterior
    assert "ANOTHER POSTERIOR" in done.sentences()[0]


@pytest.mark.parametrize(
    "spoil",
    [
        lambda x: x * np.nan,
        lambda x: x * 0 + 1.0,
        lambda x: x + 5 * x["chain"].copy(data=np.arange(x.sizes["chain"])),
    ],
    ids=["nan", "constant", "not mixed"],
)
@pytest.mark.parametrize("side", [0, 1])
def test_draws_that_tell_nothing_are_not_assessable(spoil, side):
    pair = [draws(seed=1), draws(seed=2)]
    pair[side] = edited(pair[side], "y_sigma", spoil(pair[side]["posterior"]["y_sigma"]))
    done = result(*pair)
    assert done.result == NOT_ASSESSABLE
    assert not done.reproduced
    assert ("the first fit", "the new fit")[side] in done.sentences()[0]
    assert "y_sigma" in done.sentences()[0]


def test_nan_equals_nothing_not_even_itself():
    first = draws()
    spoilt = edited(first, "y_sigma", first["posterior"]["y_sigma"] * np.nan)
    assert result(spoilt, spoilt).result == NOT_ASSESSABLE


def test_parameters_of_other_channels_are_not_compared():
    first, again = draws(seed=1), draws(seed=2)
    swapped = again["posterior"]["saturation_lam"].assign_coords(channel=["Radio", "TV"])
    posterior = again["posterior"].to_dataset().drop_vars("saturation_lam")
    posterior = posterior.assign_coords(channel=["Radio", "TV"]).assign(saturation_lam=swapped)
    stats = again["sample_stats"].to_dataset()
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    done = result(first, tree)
    assert done.result == NOT_ASSESSABLE
    assert "other items" in done.distance.fault


def test_a_missing_parameter_is_not_assessable():
    first, again = draws(seed=1), draws(seed=2)
    posterior = again["posterior"].to_dataset().drop_vars("y_sigma")
    stats = again["sample_stats"].to_dataset()
    tree = xr.DataTree.from_dict({"posterior": posterior, "sample_stats": stats})
    assert result(first, tree).result == NOT_ASSESSABLE


def test_only_what_differs_is_told():
    then = {"numba": "0.67", "numpy": "2.4"}
    assert changed(then, {"numba": "0.68", "numpy": "2.4"}) == (NUMBA,)
    assert changed(then, then) == ()


def test_what_was_not_recorded_explains_nothing():
    (one,) = changed({"numba": "0.67"}, {"numba": "0.67", "scipy": "1.18"})
    assert str(one) == "scipy: not recorded then, 1.18 now"
    assert not one.explains
    (all_of_it,) = changed({}, {"numba": "0.68", "numpy": "2.4"})
    assert not all_of_it.explains


def test_other_draws_hold_only_with_a_reason():
    near = Distance(equal=False, sds=0.01, errors=1.0, limit=3.5, where="y_sigma")
    today = Change("data at the source", "a", "b", explains=False)
    explained = Reproduction("a run", near, (NUMBA, today))
    unexplained = Reproduction("a run", near, (today,))
    assert explained.reproduced
    assert explained.sentences()[1] == "What could be why: numba: 0.67 then, 0.68 now."
    assert not unexplained.reproduced
    assert unexplained.sentences()[1].startswith("Nothing that the run recorded differs")
    assert explained.rows() == [
        ("numba", "0.67", "0.68", "yes"),
        ("data at the source", "a", "b", "no"),
    ]


def test_equal_draws_need_no_reason_and_hold_whatever_differs():
    done = Reproduction("a run", Distance(equal=True, sds=0.0, errors=0.0), (NUMBA,))
    assert done.reproduced
    assert done.reasons == ()
    assert done.rows()


def test_it_is_written_as_json_without_nan():
    done = Reproduction("a run", Distance(equal=False, fault="no draws"), (NUMBA,))
    plain = json.loads(json.dumps(done.to_dict(), allow_nan=False))
    assert plain["result"] == NOT_ASSESSABLE
    assert plain["distance"]["errors"] is None
    assert plain["reasons"] == ["numba: 0.67 then, 0.68 now"]
