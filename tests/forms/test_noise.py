"""Noise: its density against SciPy's, its draws against its density, with and without AR(1)."""

import numpy as np
import pytest
from scipy import linalg, stats

from mmm_demo.forms.autocorrelation import RHO, Autocorrelated, autocorrelated, stretch
from mmm_demo.forms.kinds import Noise, short
from mmm_demo.forms.noise.normal import Normal
from mmm_demo.forms.noise.student_t import LEAST, StudentT
from mmm_demo.forms.registry import FORMS, chosen, find

RNG = np.random.default_rng(4)
LEADING = [(), (3,), (2, 3)]  # none; draws; regions and draws
NOISES = [*FORMS["noise"].values(), *map(autocorrelated, FORMS["noise"].values())]
IDS = [f"{form.name}-{'iid' if form.independent else 'ar'}" for form in NOISES]
every_noise = pytest.mark.parametrize("form", NOISES, ids=IDS)
SIGMA, TAIL = np.array([0.8]), np.array([4.0])


def values(form: Noise, lead: tuple[int, ...] = ()) -> dict[str, np.ndarray]:
    """Return parameters with a week's axis, of which moments are soon seen in draws."""
    ranges = {"sigma": (0.5, 2.0), "nu_above_2": (6.0, 9.0), "rho": (0.3, 0.7)}
    return form.pick(lambda name: RNG.uniform(*ranges[short(name)], (*lead, 1)))


def without_week(parameters: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {name: value[..., 0] for name, value in parameters.items()}


# All forms


@every_noise
@pytest.mark.parametrize("lead", LEADING)
def test_noise_scatters_as_it_says_whatever_leads(form, lead) -> None:
    parameters, mean = values(form, lead), np.full((*lead, 20_000), 7.0)
    sales = form.draw(mean, np.random.default_rng(1), **parameters)
    assert sales.shape == mean.shape and sales.mean() == pytest.approx(7.0, abs=0.1)
    spread = form.spread(**without_week(parameters))
    assert spread.shape == lead
    assert sales.std(axis=-1) == pytest.approx(spread, rel=0.05)
    density = form.log_density(sales, mean, **parameters)
    assert density.shape == mean.shape
    # What it draws is what it calls likely: the mean density of its own draws is the highest.
    for name in parameters:
        off = parameters | {name: parameters[name] * (1.3 if name != "nu_above_2" else 0.2)}
        other = form.log_density(sales, mean, **off)
        assert (density.mean(axis=-1) > other.mean(axis=-1)).all(), name


@every_noise
def test_what_is_known_before_changes_nothing_where_weeks_are_independent(form) -> None:
    parameters, mean = values(form), RNG.normal(7, 1, (3, 40))
    observed = RNG.normal(7, 1, 40)
    expected = form.expected(observed, mean, **parameters)
    innovations = form.innovations(observed - mean, **parameters)
    assert expected.shape == innovations.shape == mean.shape
    given = np.random.default_rng(2), np.random.default_rng(2), np.random.default_rng(2)
    each = form.draw_each(observed, mean, given[0], **parameters)
    after = form.draw_after(np.full((3, 1), 9.0), mean, given[1], **parameters)
    path = form.draw(mean, given[2], **parameters)
    assert each.shape == after.shape == path.shape == mean.shape
    same = [(expected == mean).all(), (each == path).all(), (after == path).all()]
    assert same == [form.independent] * 3
    assert form.independent == (not form.given)


@every_noise
def test_one_step_draws_scatter_around_the_one_step_mean_as_the_density_says(form) -> None:
    parameters, observed = values(form), RNG.normal(7, 1, 6)
    mean = np.full((40_000, 6), 7.0)
    each = form.draw_each(observed, mean, np.random.default_rng(3), **parameters)
    expected = form.expected(observed, mean, **parameters)
    assert each.mean(axis=0) == pytest.approx(expected[0], abs=0.05)
    # The law of a week, from its density with only that week's sales moved.
    for week in (0, 4):
        at = np.linspace(-40, 40, 8001) + expected[0, week]
        moved = np.tile(observed, (len(at), 1))
        moved[:, week] = at
        density = np.exp(form.log_density(moved, np.full(moved.shape, 7.0), **parameters))[:, week]
        mass = np.cumsum(density) * (at[1] - at[0])
        assert mass[-1] == pytest.approx(1.0, abs=1e-3)
        for level in (0.03, 0.5, 0.97):
            at_level = np.interp(level, mass, at)
            assert np.quantile(each[:, week], level) == pytest.approx(at_level, abs=0.06), level


# Normal and Student's t


def test_normal_noise_has_the_normal_density() -> None:
    observed = RNG.normal(size=9)
    expected = stats.norm.logpdf(observed, 0.3, 2.0)
    found = Normal().log_density(observed, np.array(0.3), np.array(2.0))
    assert found == pytest.approx(expected)


def test_student_t_has_the_density_and_the_draws_of_a_t() -> None:
    form, observed = StudentT(), RNG.normal(size=9) * 5
    known = stats.t(LEAST + 4.0, 0.3, 0.8)
    found = form.log_density(observed, np.full(9, 0.3), SIGMA, TAIL)
    assert found == pytest.approx(known.logpdf(observed), rel=1e-12)
    assert form.spread(SIGMA, TAIL) == pytest.approx(known.std())
    drawn = form.draw(np.full(20_000, 0.3), np.random.default_rng(1), SIGMA, TAIL)
    assert stats.kstest(drawn, known.cdf).pvalue > 0.01
    assert stats.kstest(drawn, stats.norm(0.3, known.std()).cdf).pvalue < 1e-6  # control


def test_a_t_of_any_prior_has_a_standard_deviation() -> None:
    for above in (1e-6, 0.1, 1e6):
        spread = StudentT().spread(np.array(1.0), np.array(above))
        assert np.isfinite(spread) and spread >= 1.0
    assert StudentT().spread(np.array(1.0), np.array(1e9)) == pytest.approx(1.0)


# AR(1)


def test_normal_ar_1_has_the_density_of_its_stationary_covariance() -> None:
    form, rho, weeks = autocorrelated(Normal()), np.array([0.6]), 30
    observed, mean = RNG.normal(5, 2, weeks), RNG.normal(5, 1, (4, weeks))
    covariance = (0.8 * stretch(0.6)) ** 2 * linalg.toeplitz(0.6 ** np.arange(weeks))
    found = form.log_density(observed, mean, sigma=SIGMA, rho=rho).sum(axis=-1)
    expected = [stats.multivariate_normal.logpdf(observed, row, covariance) for row in mean]
    assert found == pytest.approx(expected, rel=1e-9)
    apart = Normal().log_density(observed, mean, np.array(0.8 * stretch(0.6))).sum(axis=-1)
    assert (np.abs(found - apart) > 1).all()  # control: the weeks do hang together


def test_student_t_ar_1_is_a_t_of_what_is_new_with_a_stretched_first_week() -> None:
    form, rho = autocorrelated(StudentT()), np.array([0.6])
    left = RNG.normal(0, 2, 8)
    found = form.log_density(5 + left, np.full(8, 5.0), sigma=SIGMA, nu_above_2=TAIL, rho=rho)
    first = stats.t.logpdf(left[0], LEAST + 4, 0, 0.8 / np.sqrt(1 - 0.36))
    later = stats.t.logpdf(left[1:] - 0.6 * left[:-1], LEAST + 4, 0, 0.8)
    assert found == pytest.approx([first, *later], rel=1e-12)


@pytest.mark.parametrize("new", [Normal(), StudentT()], ids=lambda form: form.name)
def test_paths_are_stationary_from_the_first_week_and_forget_at_the_rate_rho(new) -> None:
    form = autocorrelated(new)
    parameters = {name: np.array([0.8]) for name in new.pick(lambda _: None)}
    parameters |= {"rho": np.array([0.7])} | ({"nu_above_2": TAIL} if new.name != "normal" else {})
    drawn = form.draw(np.zeros((40_000, 12)), np.random.default_rng(5), **parameters)
    spread = form.spread(**without_week(parameters))
    assert drawn.std(axis=0) == pytest.approx(np.full(12, spread), rel=0.03)
    found = np.corrcoef(drawn.T)
    assert found == pytest.approx(linalg.toeplitz(0.7 ** np.arange(12)), abs=0.02)
    fresh = form.innovations(drawn, **parameters)
    apart = np.corrcoef(fresh.T)
    assert apart == pytest.approx(np.eye(12), abs=0.02)
    alike = np.full(12, new.spread(**{k: v[0] for k, v in parameters.items() if k != "rho"}))
    assert fresh.std(axis=0) == pytest.approx(alike, rel=0.03)


def test_forecasts_start_from_the_last_residual_and_grow_unsure_up_to_the_spread() -> None:
    form, rho = autocorrelated(Normal()), np.array([0.7])
    mean = np.full((40_000, 30), 5.0)
    drawn = form.draw_after(
        np.full((40_000, 1), 3.0), mean, np.random.default_rng(6), sigma=SIGMA, rho=rho
    )
    ahead = np.arange(1, 31)
    assert drawn.mean(axis=0) == pytest.approx(5 + 3 * 0.7**ahead, abs=0.03)
    grown = 0.8 * np.sqrt((1 - 0.7 ** (2 * ahead)) / (1 - 0.49))
    assert drawn.std(axis=0) == pytest.approx(grown, rel=0.03)
    assert drawn.std(axis=0)[[0, -1]] == pytest.approx([0.8, 0.8 * stretch(0.7)], rel=0.03)


def test_without_a_part_that_is_left_it_is_the_noise_alone() -> None:
    observed, mean, none = RNG.normal(size=9), np.zeros((2, 9)), np.zeros(1)
    found = autocorrelated(Normal()).log_density(observed, mean, sigma=SIGMA, rho=none)
    assert found == pytest.approx(Normal().log_density(observed, mean, SIGMA))


def test_inputs_are_left_as_they_are() -> None:
    form, observed, mean = autocorrelated(Normal()), RNG.normal(size=9), np.zeros((2, 9))
    before, left = observed.copy(), observed - mean
    kept = left.copy()
    form.draw_each(observed, mean, RNG, sigma=SIGMA, rho=np.array([0.5]))
    form.innovations(left, rho=np.array([0.5]))
    form.log_density(observed, mean, sigma=SIGMA, rho=np.array([0.5]))
    assert (observed == before).all() and (left == kept).all() and not mean.any()


# The registry


@pytest.mark.parametrize("name", FORMS["noise"])
def test_the_setting_chooses_the_noise_of_what_is_new(name) -> None:
    plain, found = (chosen("noise", {"noise": name, "autocorrelation": on}) for on in (False, True))
    assert plain is find("noise", name) and isinstance(found, Autocorrelated)
    assert found is chosen("noise", {"noise": name, "autocorrelation": True})
    assert found.new is plain and found.name == name
    names = [item.name for item in plain.parameters]
    assert [item.name for item in found.parameters] == [*names, RHO.name]
    assert "of what is new in a week" in found.parameters[0].meaning
    assert plain.words in found.words and found.words != plain.words
    assert chosen("adstock", {"autocorrelation": True}) is find("adstock", "geometric")
