"""Draws: those of the plain model's posterior, the same bits everywhere, compiled once for many."""

from dataclasses import replace
from types import SimpleNamespace

import arviz as az
import numpy as np
import pandas as pd
import pymc as pm
import pytest
import xarray as xr

from drawn_model import drawn_model
from mmm_demo.fits import sampler as samplers
from mmm_demo.fits.build import build_model
from mmm_demo.fits.ladder import Attempt, ladder
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.fits.sampler import KERNELS, Draws, Kernels, Progress, draw
from mmm_demo.settings.experiment import (
    ModelConfig,
    SamplerConfig,
    ScalingConfig,
    free_parameters,
)
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.tables.lift import COLUMNS

CONFIG, TABLE = drawn_model().config, drawn_model().table
FEW = SamplerConfig(draws=100, tune=100, chains=2, seed=5)
ATTEMPT = ladder(0.9)[0]
WIDE = PriorConfig("HalfNormal", {"sigma": 0.9}, "other")


def posterior(made: Draws) -> xr.Dataset:
    return made.trace["posterior"].to_dataset()


def same_bits(one: Draws, other: Draws) -> bool:
    pairs = (made.trace[group].to_dataset() for made in (one, other) for group in ("posterior",))
    first, second = pairs
    return all(np.array_equal(first[name], second[name]) for name in first.data_vars)


@pytest.fixture(scope="module")
def kernels() -> Kernels:
    """What the module's quick tests compile: one kernel."""
    return Kernels(2)


@pytest.fixture(scope="module")
def few(kernels: Kernels) -> Draws:
    return draw(CONFIG, TABLE, FEW, ATTEMPT, longest_lag=6, cores=2, kernels=kernels)


# The posterior is the plain model's

LIFT = pd.DataFrame(
    [
        ("Radio", 2e4, 1e4, 2e4, 1e4, pd.Timestamp("2023-06-05")),
        ("TV", 3e4, -1.5e4, -5e4, 2e4, pd.Timestamp("2023-09-04")),
    ],
    columns=list(COLUMNS),
)


def moments(draws: xr.Dataset, measure: str) -> tuple[np.ndarray, np.ndarray]:
    """Return means or standard deviations of all parameters, and their Monte Carlo errors."""
    over = ("chain", "draw")
    values, errors = [], []
    for name in draws.data_vars:
        found = draws[name].mean(over) if measure == "mean" else draws[name].std(over)
        values.append(np.ravel(found))
        errors.append(np.ravel(az.mcse(draws[[name]], method=measure)[name]))
    return np.concatenate(values), np.concatenate(errors)


@pytest.mark.slow
@pytest.mark.parametrize(
    "tests", [pytest.param(None, id="history"), pytest.param(LIFT, id="lift tests")]
)
@pytest.mark.parametrize("intercept", ["any sign", "positive"])
def test_the_posterior_is_that_of_a_long_plain_run(
    intercept: str, tests: pd.DataFrame | None
) -> None:
    config, table = CONFIG, TABLE.head(60)
    if intercept == "positive":
        positive = PriorConfig("HalfNormal", {"sigma": 0.5}, "no loss without media")
        config = replace(config, priors=config.priors | {"intercept": positive})
    long = SamplerConfig(draws=3000, tune=1000, chains=4, seed=2)
    ours = posterior(draw(config, table, long, ladder(0.95)[0], lift_tests=tests))
    model = build_model(config, table, tests).model
    plain = pm.sample(
        draws=3000,
        tune=1000,
        chains=4,
        model=model,
        nuts_sampler="nutpie",
        nuts={"target_accept": 0.95},
        var_names=list(free_parameters(config)),
        random_seed=1,
        progressbar=False,
        compute_convergence_checks=False,
    )
    theirs = plain["posterior"].to_dataset()[list(ours.data_vars)]
    assert {name: draws[0, 0].size for name, draws in ours.items()} == free_parameters(config)
    for name in ours.data_vars:
        assert ours[name].dims == theirs[name].dims, name
    for measure in ("mean", "sd"):
        (one, error), (other, others) = (moments(d, measure) for d in (ours, theirs))
        assert len(one) == sum(free_parameters(config).values())
        moved = np.abs(one - other) / np.hypot(error, others)
        assert moved.max() < 5, (measure, moved)
        assert (np.hypot(error, others) < 0.1 * np.ravel(moments(theirs, "sd")[0])).all()


def test_draws_lie_where_sales_are(few: Draws) -> None:
    """The intercept is itself again, not the level that the sampler had in its place."""
    response = Response(CONFIG, scaling_of(CONFIG, TABLE), posterior(few), TABLE)
    weekly = response.mean(TABLE)
    assert weekly.mean() == pytest.approx(TABLE["Sales"].mean(), rel=0.02)
    media = response.contributions(response.training[["TV", "Radio"]].to_numpy()).sum(axis=2)
    assert media.mean() > 0.05 * weekly.mean()  # or intercept and level would be the same


# The same bits


def test_draws_have_the_sizes_that_were_asked_for(few: Draws) -> None:
    found = posterior(few)
    sizes = {name: draws[0, 0].size for name, draws in found.items()}
    assert sizes == free_parameters(CONFIG)
    assert (found.sizes["chain"], found.sizes["draw"]) == (FEW.chains, FEW.draws)
    assert few.trace["sample_stats"].sizes["draw"] == FEW.draws
    assert few.seconds > 0


def test_a_seed_gives_the_same_bits_on_any_number_of_cores(few: Draws, kernels: Kernels) -> None:
    def again(**changes: int) -> Draws:
        asked = replace(FEW, **changes)
        return draw(CONFIG, TABLE, asked, ATTEMPT, longest_lag=6, cores=1, kernels=kernels)

    assert same_bits(again(), few)
    assert not same_bits(again(seed=6), few)
    assert not np.array_equal(*posterior(few)["y_sigma"].to_numpy())  # each chain its own


@pytest.mark.slow
def test_draws_do_not_hang_on_which_model_was_compiled_first() -> None:
    """A process that fitted something else before draws what a fresh one does."""
    other = replace(CONFIG, adstock_max_lag=2, priors=CONFIG.priors | {"y_sigma": WIDE})
    shared = Kernels(1)
    draw(other, TABLE.head(70), FEW, ATTEMPT, longest_lag=6, kernels=shared)
    second = draw(CONFIG, TABLE, FEW, ATTEMPT, longest_lag=6, kernels=shared)
    alone = draw(CONFIG, TABLE, FEW, ATTEMPT, longest_lag=6, kernels=Kernels(1))
    assert same_bits(second, alone)


@pytest.mark.parametrize("attempt", ladder(0.9)[1:], ids=str)
def test_each_attempt_draws_otherwise(few: Draws, kernels: Kernels, attempt: Attempt) -> None:
    other = draw(CONFIG, TABLE, FEW, attempt, longest_lag=6, kernels=kernels)
    assert not same_bits(other, few)
    assert posterior(other).sizes["draw"] == FEW.draws


# While it runs


@pytest.mark.parametrize("longer", [1, 3])
def test_who_watches_is_told_numbers_that_add_up(kernels: Kernels, longer: int) -> None:
    seen: list[Progress] = []
    asked, attempt = replace(FEW, tune=150), Attempt(0.95, longer=longer)
    made = draw(CONFIG, TABLE, asked, attempt, longest_lag=6, kernels=kernels, watch=seen.append)
    warm_up = FEW.chains * 150 * longer
    assert {(step.total, step.warm_up) for step in seen} == {
        (warm_up + FEW.chains * FEW.draws, warm_up)
    }
    done = [step.done for step in seen]
    assert done == sorted(done) and done[-1] == seen[-1].total
    diverging = int(made.trace["sample_stats"]["diverging"].sum())
    assert seen[-1].divergences == diverging
    assert all(0 <= step.divergences <= diverging for step in seen)
    assert made.trace["sample_stats"].sizes["draw"] == FEW.draws  # the warm-up is not kept


def test_watching_changes_no_bit(few: Draws, kernels: Kernels) -> None:
    watched = draw(
        CONFIG, TABLE, FEW, ATTEMPT, longest_lag=6, kernels=kernels, watch=lambda _: None
    )
    assert same_bits(watched, few)


# One compilation for many models


def test_other_weeks_lags_and_priors_need_no_compilation(few: Draws, kernels: Kernels) -> None:
    assert len(kernels.kept) == 1
    (compiled,) = kernels.kept.values()
    weeks = TABLE.tail(70).reset_index(drop=True)
    doubled = weeks.assign(Sales=2 * weeks["Sales"])
    other = replace(
        CONFIG,
        adstock_max_lag=2,
        priors=CONFIG.priors | {"y_sigma": WIDE},
        scaling=ScalingConfig(9e6, (4e4, 3e4)),
    )
    made = draw(other, doubled, FEW, ATTEMPT, longest_lag=6, kernels=kernels)
    assert list(kernels.kept.values()) == [compiled]
    assert made.compile_cache == "warm"
    mean = Response(other, other.scaling, posterior(made), doubled).mean(doubled)
    assert mean.mean() == pytest.approx(doubled["Sales"].mean(), rel=0.02)


@pytest.fixture
def numbered(monkeypatch: pytest.MonkeyPatch) -> list[pm.Model]:
    """Compilations that are told apart by their number, in a process that has made none."""
    made: list[pm.Model] = []

    def compile_kernel(model: pm.Model) -> SimpleNamespace:
        number = len(made)
        made.append(model)
        return SimpleNamespace(with_data=lambda model: SimpleNamespace(compiled=number))

    monkeypatch.setattr(samplers, "compile_kernel", compile_kernel)
    monkeypatch.setattr(KERNELS, "kept", {})
    return made


class Compiled(Exception):
    """Raised in place of draws; its text is the number of the compilation."""


@pytest.fixture
def number_of(numbered: list[pm.Model], monkeypatch: pytest.MonkeyPatch):
    """Return the number of the compilation that a model is sampled with."""

    def nuts(compiled: int, **_: object) -> None:
        raise Compiled(compiled)

    monkeypatch.setattr(samplers, "nuts", nuts)

    def number(config: ModelConfig, longest: int | None = 8, kernels: Kernels = KERNELS) -> int:
        with pytest.raises(Compiled) as found:
            draw(config, TABLE, FEW, ATTEMPT, longest_lag=longest, kernels=kernels)
        return found.value.args[0]

    return number


def test_models_that_share_a_kernel_are_compiled_once(number_of, numbered) -> None:
    asked = [
        (CONFIG, 8),
        (replace(CONFIG, adstock_max_lag=8), 8),
        (replace(CONFIG, adstock_max_lag=8), None),  # its own is the longest
        (CONFIG, None),
        (replace(CONFIG, saturation="s_shaped"), 8),
        (CONFIG, 8),
    ]
    assert [number_of(*one) for one in asked] == [0, 0, 0, 1, 2, 0]
    assert len(numbered) == 3


def test_the_oldest_kernel_makes_place(number_of) -> None:
    two = Kernels(most=2)
    plain = replace(CONFIG, yearly_seasonality=0, priors={})
    numbers = [number_of(plain, longest, two) for longest in (8, 9, 8, 10, 9, 8)]
    assert numbers == [0, 1, 0, 2, 1, 3]
    assert len(two.kept) == 2
    assert not KERNELS.kept


# What cannot be sampled


def test_a_model_without_a_density_anywhere_is_no_fault_of_the_program(kernels: Kernels) -> None:
    none = PriorConfig("HalfNormal", {"sigma": 1e-300}, "rounds to a density of 0 everywhere")
    impossible = replace(CONFIG, priors=CONFIG.priors | {"y_sigma": none})
    with pytest.raises(ValueError) as refused:
        draw(impossible, TABLE, FEW, ATTEMPT, longest_lag=6, kernels=kernels)
    said = str(refused.value)
    assert said.startswith("the model cannot be sampled: ")
    assert said.endswith("; look at its priors")
    assert "\n" not in said and "backtrace" not in said.lower()
