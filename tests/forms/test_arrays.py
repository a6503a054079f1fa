"""Arrays of the forms: slopes, sums by hand, and axes that lead."""

import numpy as np
import pytest

from mmm_demo.forms.baseline.drift import LENGTHS, LIKELY
from mmm_demo.forms.kinds import Additive, Frame, carried
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


DATES = np.arange("2023-01-02", "2024-12-30", 7, dtype="datetime64[D]")
FRAME = Frame(DATES, 3)
YEAR_AFTER = DATES[-1] + np.arange(1, 53) * np.timedelta64(7, "D")


def drawn_coefficients(form: Additive, lead: tuple[int, ...], size: int = 0) -> np.ndarray:
    """Return coefficients of normal draws; `size` is that of parameters over Fourier modes."""
    counts = {item.variable: len(item.items) or size * bool(item.dim) for item in form.parameters}
    return form.coefficients(
        **form.pick(
            lambda key: RNG.normal(size=(*lead, counts[key])[: len(lead) + (counts[key] > 0)])
        )
    )


@pytest.mark.parametrize("kind", ["baseline", "seasonality"])
@pytest.mark.parametrize("lead", LEADING)
def test_additive_parts_have_a_coefficient_for_each_term_whatever_leads(kind, lead) -> None:
    for name in FORMS[kind]:
        form = find(kind, name)
        size = form.count(FRAME.modes) if kind == "seasonality" else 0
        coefficients, basis = drawn_coefficients(form, lead, size), form.basis(DATES, FRAME)
        assert coefficients.shape == (*lead, basis.shape[1])
        assert (coefficients @ basis.T).shape == (*lead, len(DATES))


def test_the_yearly_basis_by_hand() -> None:
    days = np.array(["2023-01-01", "2024-12-31"], "M8[D]")
    basis = find("seasonality", "yearly").basis(days, Frame(DATES, 2))
    for row, day in zip(basis, (1, 366), strict=True):
        angle = 2 * np.pi * day / 365.25
        by_hand = [np.sin(angle), np.sin(2 * angle), np.cos(angle), np.cos(2 * angle)]
        assert row == pytest.approx(by_hand)


@pytest.mark.parametrize("name", FORMS["baseline"])
def test_what_moves_a_baseline_is_nothing_on_average_over_the_training_weeks(name) -> None:
    basis = find("baseline", name).basis(DATES, FRAME)
    assert basis.mean(axis=0) == pytest.approx(np.zeros(basis.shape[1]), abs=1e-12)


def test_a_trend_by_hand_goes_on_after_the_data_from_their_origin() -> None:
    form, changes = find("baseline", "trend"), np.zeros(9)
    changes[0], changes[2] = 0.2, -0.5  # a year, from the start; and from two fifths on
    weeks = np.arange(len(DATES) + 52)
    years = weeks / 52, np.maximum(weeks - 0.4 * (len(DATES) - 1), 0) / 52
    by_hand = 0.2 * years[0] - 0.5 * years[1]
    path = form.basis(np.concatenate([DATES, YEAR_AFTER]), FRAME) @ changes
    assert path - path[0] == pytest.approx(by_hand - by_hand[0])


def test_a_trend_bends_after_the_data_as_strongly_as_within_them() -> None:
    form = find("baseline", "trend")
    later = form.basis(YEAR_AFTER, FRAME) - form.basis(DATES[-1:], FRAME)
    rng = np.random.default_rng(3)
    change = rng.normal(0, 0.1, (4000, 9))
    change[:, :5] = 0  # a straight line, had nothing bent it
    spread = (change @ later.T).std(axis=0)
    assert spread[0] > 0
    assert (np.diff(spread) > 0).all()
    slopes = np.diff(form.basis(DATES, FRAME) @ np.eye(9), axis=0)[-1] * 52
    ahead = np.diff(later @ np.eye(9), axis=0)[-1] * 52
    a_year = [(slopes[1:5] ** 2).sum() / (len(DATES) * 0.8 / 52), (ahead[5:] ** 2).sum()]
    assert a_year[0] == pytest.approx(a_year[1], rel=0.03)


def test_a_drift_has_the_covariance_that_it_says() -> None:
    """The waves add up to a squared exponential, over its lengths; before it is centred."""
    basis = find("baseline", "drift").basis(DATES, FRAME)
    apart = np.subtract.outer(np.arange(len(DATES)), np.arange(len(DATES)))[..., None]
    likely = LIKELY / LIKELY.sum()
    exact = np.exp(-((apart / LENGTHS) ** 2) / 2) @ likely
    centre = np.eye(len(DATES)) - 1 / len(DATES)
    assert basis @ basis.T == pytest.approx(centre @ exact @ centre, abs=0.04)


def test_a_drift_stays_smooth_over_weeks_and_grows_unsure_after_the_data() -> None:
    form = find("baseline", "drift")
    basis = form.basis(np.concatenate([DATES, YEAR_AFTER]), FRAME)
    steps = np.diff(basis, axis=0)
    assert np.sqrt((steps**2).sum(axis=1)).max() < 0.11  # of its size from one week to the next
    # What the training weeks tell of the waves, leaves the year after them open.
    inside = basis[: len(DATES)]
    left = np.linalg.inv(np.eye(basis.shape[1]) + inside.T @ inside / 0.1**2)
    unsure = np.sqrt(np.einsum("ij,jk,ik->i", basis, left, basis))
    after = unsure[len(DATES) :]
    assert unsure[20:80].max() < 0.1
    assert after[[4, 12, 25]] == pytest.approx(np.sort(after[[4, 12, 25]]))
    assert after[25] > 5 * unsure[60]


def test_weeks_of_events_by_hand() -> None:
    day = np.datetime64
    calendar = (
        ("Sale", day("2023-01-11"), day("2023-01-24")),  # 5 days, a week, 2 days
        ("Sunday", day("2023-01-15"), day("2023-01-15")),
        ("Eve", day("2023-01-22"), day("2023-01-23")),  # a day in each of two weeks
        ("Sunday", day("2023-02-05"), day("2023-02-05")),
    )
    frame = Frame(DATES, 0, calendar)
    assert frame.events == ("Sale", "Sunday", "Eve")
    basis = find("event_effects", "pooled").basis(DATES[:6], frame)
    by_hand = {"Sale": [0, 5 / 7, 1, 2 / 7, 0, 0], "Sunday": [0, 1, 0, 0, 1, 0]}
    by_hand["Eve"] = [0, 0, 0.5, 0.5, 0, 0]
    assert basis == pytest.approx(np.column_stack([by_hand[name] for name in frame.events]))
