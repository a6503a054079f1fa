"""Refits of one compiled model: the same posterior as an ordinary fit, on any weeks.

One compilation serves the whole module, as it serves a battery.
"""

from copy import copy
from dataclasses import dataclass, replace
from types import SimpleNamespace

import arviz as az
import numpy as np
import nutpie
import pandas as pd
import pytest
import xarray as xr

from drawn_model import drawn_model
from mmm_demo.checks.gate import GateReport
from mmm_demo.evidence.refit import CHAINS, GRAPHS, Graphs, Refit, Refitter, graph_key
from mmm_demo.fits.build import build_model
from mmm_demo.fits.trace import table_sha256
from mmm_demo.settings.experiment import ModelConfig, ScalingConfig, free_parameters
from mmm_demo.settings.limits import EvidenceConfig
from mmm_demo.settings.priors import PriorConfig

SAMPLING = EvidenceConfig(draws=1000, tune=500)


@pytest.fixture(scope="module")
def compilations():
    """Every compilation that the module's refits ask for."""
    made, compile_model = [], nutpie.compile_pymc_model

    def counted(*args, **settings):
        made.append(settings)
        return compile_model(*args, **settings)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(nutpie, "compile_pymc_model", counted)
        yield made


@pytest.fixture(scope="module")
def refitter(fitted, compilations):
    return Refitter(fitted.config, fitted.table, SAMPLING)


@pytest.fixture(scope="module")
def before(fitted):
    """The fit before any refit."""
    return SimpleNamespace(
        table=table_sha256(fitted.table),
        posterior=fitted.response.posterior.copy(deep=True),
        config=copy(fitted.config),
    )


@pytest.fixture(scope="module")
def whole(refitter, fitted, before):
    """The model refitted to its own weeks."""
    return refitter.fit(fitted.table, seed=1)


@pytest.fixture(scope="module")
def early(refitter, fitted, whole):
    """The same compiled model on the first two years, sales doubled."""
    weeks = fitted.table.head(104)
    return refitter.fit(weeks.assign(Sales=2 * weeks["Sales"]), seed=1)


def shifts(one: xr.Dataset, other: xr.Dataset) -> np.ndarray:
    """Return by how many Monte Carlo errors each parameter's means differ."""
    found = []
    for name in one.data_vars:
        errors = [az.mcse(draws[[name]])[name].to_numpy() for draws in (one, other)]
        means = [draws[name].mean(("chain", "draw")).to_numpy() for draws in (one, other)]
        found.append(np.ravel((means[0] - means[1]) / np.hypot(*errors)))
    return np.concatenate(found)


@pytest.mark.slow
def test_a_refit_has_the_posterior_of_the_ordinary_fit(whole, fitted):
    assert whole.converged, whole.convergence.reasons()
    ours, theirs = whole.response.posterior, fitted.trace["posterior"].to_dataset()
    assert set(ours.data_vars) == set(free_parameters(fitted.config))
    for name in ours.data_vars:
        assert ours[name].dims == theirs[name].dims, name
    moved = np.abs(shifts(ours, theirs))
    assert len(moved) == sum(free_parameters(fitted.config).values())
    assert moved.max() < 5
    for name in ours.data_vars:
        ratio = ours[name].std(("chain", "draw")) / theirs[name].std(("chain", "draw"))
        assert ratio.to_numpy() == pytest.approx(1.0, abs=0.2), name


@pytest.mark.slow
def test_other_weeks_of_another_length_are_really_fitted(early, whole, fitted):
    assert early.converged, early.convergence.reasons()
    assert np.abs(shifts(early.response.posterior, whole.response.posterior)).max() > 5
    response = early.response
    assert len(response.training) == 104
    mean = response.mean(response.training).mean(axis=0)
    assert mean == pytest.approx(2 * fitted.observed[:104], rel=0.35)
    assert mean.mean() == pytest.approx(2 * fitted.observed[:104].mean(), rel=0.02)


@pytest.mark.slow
def test_the_scaling_stays_the_first_tables(early, whole, refitter, fitted):
    largest = fitted.table[list(fitted.config.channel_columns)].max()
    assert refitter.scaling.target == fitted.observed.max()
    assert refitter.scaling.channels == tuple(largest)
    for refit in (early, whole):
        assert refit.response.scaling == refitter.scaling
        assert refit.response.config.scaling == refitter.scaling


@pytest.mark.slow
def test_refits_leave_the_fit_alone(before, whole, early, fitted):
    assert table_sha256(fitted.table) == before.table
    xr.testing.assert_identical(fitted.response.posterior, before.posterior)
    assert fitted.config == before.config
    assert whole.response.training.equals(fitted.table)


@dataclass(frozen=True)
class Few:
    """Fewer draws than any experiment may ask for."""

    draws: int = 20
    tune: int = 20


@pytest.mark.slow
def test_too_few_draws_are_reported_unconverged_after_a_second_attempt(
    refitter, whole, fitted, monkeypatch
):
    hasty = copy(refitter)  # the same compiled model
    hasty.sampling = Few()
    attempts = []
    sample = hasty._attempt

    def counted(table, seed, target_accept, lift_tests):
        attempts.append(target_accept)
        return sample(table, seed, target_accept, lift_tests)

    monkeypatch.setattr(hasty, "_attempt", counted)
    refit = hasty.fit(fitted.table, seed=1)
    assert attempts == [0.98, 0.99]
    assert not refit.converged
    assert "ess_bulk_min" in {check.name for check in refit.convergence.failures}
    assert refit.response.posterior.sizes["draw"] == Few().draws
    assert refit.response.posterior.sizes["chain"] == CHAINS


@pytest.mark.slow
def test_the_same_seed_gives_the_same_draws_and_another_seed_the_same_posterior(
    refitter, whole, fitted
):
    first = whole.response.posterior
    again, other = (refitter.fit(fitted.table, seed=seed).response.posterior for seed in (1, 2))
    xr.testing.assert_identical(again, first)
    assert not np.array_equal(other["adstock_alpha"], first["adstock_alpha"])
    assert np.abs(shifts(other, first)).max() < 5


class Sampled(Exception):
    """The sampler was given a table."""


@pytest.fixture
def unsampled(monkeypatch):
    """A refitter that says so instead of sampling."""

    def attempt(*_):
        raise Sampled

    monkeypatch.setattr(Refitter, "_attempt", attempt)
    drawn = drawn_model()
    return Refitter(drawn.config, drawn.table, SAMPLING)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("column", ["Sales", "TV", "Trend"])
def test_a_number_that_is_empty_or_infinite_is_refused_before_sampling(unsampled, column, bad):
    clean = drawn_model().table
    for week in (0, 50, len(clean) - 1):
        table = clean.astype({column: "float64"})
        table.loc[week, column] = bad
        with pytest.raises(ValueError, match=rf"empty or infinite {column}$"):
            unsampled.fit(table, seed=1)
    with pytest.raises(Sampled):
        unsampled.fit(clean, seed=1)


def test_every_column_with_such_a_number_is_named(unsampled):
    table = drawn_model().table.copy()
    table.loc[3, ["Sales", "TV"]] = np.nan
    with pytest.raises(ValueError, match=r"empty or infinite Sales, TV$"):
        unsampled.fit(table, seed=1)


@pytest.mark.slow
def test_one_compilation_at_most_served_all(compilations, whole, early):
    assert len(compilations) <= 1  # none where another module needed the same model before


@pytest.mark.slow
def test_a_refit_without_checks_or_with_a_failed_one_is_not_converged(whole):
    assert not Refit(whole.response, GateReport(())).converged
    for check in whole.convergence.checks:
        unmeasured = [
            replace(item, value=float("nan")) if item is check else item
            for item in whole.convergence.checks
        ]
        assert not Refit(whole.response, GateReport(tuple(unmeasured))).converged, check.name


# One compilation for many models

CONFIG = drawn_model().config
LIFT = pd.DataFrame({"channel": ["TV"], "x": [1.0], "delta_x": [1.0], "delta_y": [1.0],
                     "sigma": [1.0], "date": [pd.Timestamp("2023-06-05")]})  # fmt: skip


def with_prior(name: str, prior: PriorConfig) -> ModelConfig:
    return replace(CONFIG, priors=CONFIG.priors | {name: prior})


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, adstock_max_lag=2),
        replace(CONFIG, adstock_max_lag=8),
        replace(CONFIG, scaling=ScalingConfig(1.0, (1.0, 1.0))),
        with_prior("y_sigma", PriorConfig("HalfNormal", {"sigma": 0.9}, "other")),
        with_prior("saturation_beta", PriorConfig("HalfNormal", {"sigma": (0.9, 0.1)}, "other")),
    ],
)
def test_lag_scaling_and_values_of_priors_need_no_compilation(config):
    assert graph_key(config, None, 8) == graph_key(CONFIG, None, 8)


@pytest.mark.parametrize(
    "config",
    [
        replace(CONFIG, yearly_seasonality=2),
        replace(CONFIG, yearly_seasonality=0),
        replace(CONFIG, saturation="s_shaped"),
        replace(CONFIG, adstock="binomial"),
        replace(CONFIG, control_columns=()),
        replace(CONFIG, control_columns=("Price",)),
        replace(CONFIG, channel_columns=("Radio", "TV")),
        with_prior("y_sigma", PriorConfig("Gamma", {"alpha": 2.0, "beta": 9.0}, "other")),
        with_prior("saturation_beta", PriorConfig("HalfNormal", {"sigma": 0.2}, "one for all")),
        with_prior("saturation_lam", PriorConfig("Gamma", {"alpha": (3, 3), "beta": 1.0}, "own")),
    ],
)
def test_other_shapes_of_the_model_need_one(config):
    assert graph_key(config, None, 8) != graph_key(CONFIG, None, 8)


def test_so_do_another_longest_lag_and_lift_tests():
    key = graph_key(CONFIG, None, 8)
    assert graph_key(CONFIG, None, 9) != key
    tested = graph_key(CONFIG, LIFT, 8)
    assert tested != key
    assert graph_key(CONFIG, LIFT.assign(sigma=2.0), 8) != tested
    scaled = replace(CONFIG, scaling=ScalingConfig(1.0, (1.0, 1.0)))
    assert graph_key(scaled, LIFT, 8) != tested  # tests are compiled in scaled


@pytest.fixture
def graphs(monkeypatch):
    """Compilations that are told apart by their number, in a process that has made none."""
    made = []

    def compile_model(model, **_):
        number = len(made)
        made.append(model)
        return SimpleNamespace(with_data=lambda **data: (number, data))

    monkeypatch.setattr(nutpie, "compile_pymc_model", compile_model)
    monkeypatch.setattr(GRAPHS, "kept", {})
    return made


def compiled(config: ModelConfig, longest: int | None = 8, graphs: Graphs = GRAPHS):
    """Return the number of the graph that a model gets, and the data that it gets with it."""
    refitter = Refitter(config, drawn_model().table, SAMPLING, longest, graphs=graphs)
    mmm = build_model(refitter._fixed, drawn_model().table, None, refitter.longest_lag)
    return refitter._compile(mmm, None)


def test_models_that_share_a_graph_are_compiled_once(graphs):
    asked = [
        (CONFIG, 8),
        (replace(CONFIG, adstock_max_lag=8), 8),
        (replace(CONFIG, adstock_max_lag=8), None),  # its own is the longest
        (CONFIG, None),
        (replace(CONFIG, saturation="s_shaped"), 8),
        (CONFIG, 8),
    ]
    assert [compiled(*one)[0] for one in asked] == [0, 0, 0, 1, 2, 0]
    assert len(graphs) == 3


def test_a_shared_graph_gets_each_models_own_values(graphs):
    """Also where chains start: else draws would hang on what a process had fitted before."""
    compiled(CONFIG)
    wide = PriorConfig("HalfNormal", {"sigma": 0.9}, "other")
    _, data = compiled(replace(with_prior("y_sigma", wide), adstock_max_lag=2))
    assert (float(data["adstock_weeks"]), float(data["y_sigma_sigma"])) == (2, 0.9)
    shared = {item.name: item.get_value() for item in graphs[0].data_vars}
    assert (float(shared["adstock_weeks"]), float(shared["y_sigma_sigma"])) == (2, 0.9)
    _, data = compiled(CONFIG)
    assert (float(data["adstock_weeks"]), float(data["y_sigma_sigma"])) == (4, 0.15)


def test_the_oldest_graph_makes_place(graphs):
    two = Graphs(most=2)
    numbers = [compiled(replace(CONFIG, yearly_seasonality=0, priors={}), longest, two)[0]
               for longest in (8, 9, 8, 10, 9, 8)]  # fmt: skip
    assert numbers == [0, 1, 0, 2, 1, 3]
    assert len(two.kept) == 2
    assert not GRAPHS.kept


def test_a_model_that_cannot_be_sampled_is_no_fault_of_the_program(graphs, monkeypatch):
    def impossible(*_, **__):
        raise RuntimeError("All initialization points failed\n\nStack backtrace:\n 0: main")

    monkeypatch.setattr(nutpie, "sample", impossible)
    table = drawn_model().table
    with pytest.raises(
        ValueError, match=r"cannot be sampled: All init.* failed; look at"
    ) as refused:
        Refitter(CONFIG, table, SAMPLING).fit(table, seed=1)
    assert "backtrace" not in str(refused.value)


def test_a_lag_longer_than_the_longest_is_refused():
    with pytest.raises(ValueError, match="lag of 4 weeks is longer than the longest, 3"):
        Refitter(CONFIG, drawn_model().table, SAMPLING, longest_lag=3)
