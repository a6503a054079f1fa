"""Arrays of the forms: slopes, sums by hand, and axes that lead."""

import numpy as np
import pytest

from mmm_demo.forms.kinds import carried
from mmm_demo.forms.registry import FORMS, find

RNG = np.random.default_rng(4)
LEADING = [(), (3,), (2, 3)]  # none; draws; regions and draws


def drawn(form, shape: tuple[int, ...]) -> dict[str, np.ndarray]:
    """Return values between 0 and 1, which every parameter may have."""
    return form.pick(lambda _: RNG.uniform(0.2, 0.8, shape))


def each(shape: tuple[int, ...]):
    return np.ndindex(shape) if shape else [()]


# Saturation


def numeric(form, x: np.ndarray, bend: dict[str, np.ndarray]) -> np.ndarray:
    step = 1e-6
    above, below = form.curve(x + step, **bend), form.curve(np.maximum(x - step, 0), **bend)
    return (above - below) / np.where(x >= step, 2 * step, x + step)


@pytest.mark.parametrize("name", FORMS["saturation"])
@pytest.mark.parametrize("lead", LEADING)
def test_the_slope_is_that_of_the_curve_whatever_leads(name, lead) -> None:
    form = find("saturation", name)
    bend = form.bend(lambda _: RNG.uniform(0.2, 0.8, (*lead, 1, 2)))
    x = RNG.uniform(0, 8, (*lead, 40, 2))
    x[..., 0, :] = 0.0
    reached = form.curve(x, **bend)
    assert reached.shape == x.shape
    assert form.slope(x, reached, **bend) == pytest.approx(numeric(form, x, bend), abs=1e-5)
    for place in each(lead):
        own = {name: value[place] for name, value in bend.items()}
        assert (form.curve(x[place], **own) == reached[place]).all()


@pytest.mark.parametrize("name", FORMS["saturation"])
def test_a_form_says_whether_it_is_concave(name) -> None:
    form, x = find("saturation", name), np.linspace(0.0, 8.0, 81)
    bend = form.bend(lambda _: np.array(0.5))
    steep = form.slope(x, form.curve(x, **bend), **bend)
    assert form.concave == (np.diff(steep) <= 0).all()
    assert (steep >= 0).all() and form.curve(np.zeros(1), **bend) == 0


@pytest.mark.parametrize("name", FORMS["saturation"])
def test_inputs_are_left_as_they_are(name) -> None:
    form, x = find("saturation", name), RNG.uniform(0, 3, 5)
    bend = form.bend(lambda _: np.array(0.5))
    reached, before = form.curve(x, **bend), x.copy()
    kept = reached.copy()
    form.slope(x, reached, **bend)
    assert (x == before).all() and (reached == kept).all()


@pytest.mark.parametrize("name", ["logistic", "michaelis_menten", "s_shaped"])
def test_forms_with_one_prior_have_half_of_their_effect_at_one_place(name) -> None:
    assert find("saturation", name).curve(np.log([3.0])) == pytest.approx(0.5)


# Adstock


@pytest.mark.parametrize("name", FORMS["adstock"])
@pytest.mark.parametrize("lead", LEADING)
def test_shares_add_up_to_one_whatever_leads(name, lead) -> None:
    form = find("adstock", name)
    parameters = drawn(form, (*lead, 2))
    shares = form.shares(5, **parameters)
    assert shares.shape == (*lead, 5, 2)
    assert shares.sum(axis=-2) == pytest.approx(1.0)
    for place in each(lead):
        own = {name: value[place] for name, value in parameters.items()}
        assert (form.shares(5, **own) == shares[place]).all()


@pytest.mark.parametrize("lead", LEADING)
@pytest.mark.parametrize("own_spend", [False, True])
def test_what_is_carried_is_a_convolution_whatever_leads(lead, own_spend) -> None:
    shares = RNG.uniform(0, 1, (*lead, 4, 2))
    spend = RNG.uniform(0, 9, (*lead, 12, 2) if own_spend else (12, 2))
    works = carried(spend, shares)
    assert works.shape == (*lead, 12, 2)
    for place in each(lead):
        money = spend[place] if own_spend else spend
        for channel in range(2):
            expected = np.convolve(money[:, channel], shares[place][:, channel])[:12]
            assert works[place][:, channel] == pytest.approx(expected)


def test_its_slope_is_the_shares_and_few_weeks_are_no_error() -> None:
    shares, spend = RNG.uniform(0, 1, (4, 1)), RNG.uniform(0, 9, (6, 1))
    more = spend.copy()
    more[1] += 1e-3
    slope = (carried(more, shares) - carried(spend, shares)) / 1e-3
    assert slope[:, 0] == pytest.approx([0, *shares[:, 0], 0], abs=1e-9)
    assert carried(spend[:2], shares) == pytest.approx(carried(spend, shares)[:2])


# Baseline and seasonality


@pytest.mark.parametrize("kind", ["baseline", "seasonality"])
@pytest.mark.parametrize("lead", LEADING)
def test_additive_parts_have_a_coefficient_for_each_term_whatever_leads(kind, lead) -> None:
    dates = np.arange("2023-01-02", "2024-12-30", 7, dtype="datetime64[D]")
    for name in FORMS[kind]:
        form, modes = find(kind, name), 3
        dims = {item.variable: item.dim for item in form.parameters}
        size = form.count(modes) if kind == "seasonality" else 0
        draws = form.pick(
            lambda key, dims=dims, n=size: RNG.normal(
                size=(*lead, n)[: len(lead) + bool(dims[key])]
            )
        )
        coefficients, basis = form.coefficients(**draws), form.basis(dates, modes)
        assert coefficients.shape == (*lead, basis.shape[1])
        assert (coefficients @ basis.T).shape == (*lead, len(dates))


def test_the_yearly_basis_by_hand() -> None:
    basis = find("seasonality", "yearly").basis(np.array(["2023-01-01", "2024-12-31"], "M8[ns]"), 2)
    for row, day in zip(basis, (1, 366), strict=True):
        angle = 2 * np.pi * day / 365.25
        by_hand = [np.sin(angle), np.sin(2 * angle), np.cos(angle), np.cos(2 * angle)]
        assert row == pytest.approx(by_hand)
