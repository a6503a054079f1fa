"""Negative controls: everything that can be wrong with a fit fails, and one good fit passes."""

import math
from collections.abc import Callable
from dataclasses import replace

import arviz as az
import numpy as np
import pytest
import xarray as xr

from helpers import convergent_trace
from mmm_demo.checks.convergence import (
    convergence_checks,
    decomposition_check,
    negative_baseline_share,
    predictive_metrics,
    prior_check,
)
from mmm_demo.checks.gate import Check, GateReport
from mmm_demo.fits.fitted import Decomposition
from mmm_demo.settings.experiment import GateConfig, ModelConfig, free_parameters

MODEL = ModelConfig(channel_columns=("TV", "Radio"), control_columns=("Trend",))
PARAMETERS = free_parameters(MODEL)
MEASURES = ("rhat_max", "ess_bulk_min", "ess_tail_min")
STATISTICS = ("divergences", "bfmi_min", "max_depth_share")
ALL = (*MEASURES, "divergences", "chains", "bfmi_min", "max_depth_share")
LIMITS = GateConfig()


@pytest.fixture
def trace() -> xr.DataTree:
    return convergent_trace(MODEL)


def judge(
    trace: xr.DataTree, limits: GateConfig = LIMITS, chains_asked: int = 4
) -> dict[str, Check]:
    checks = convergence_checks(trace, PARAMETERS, limits, chains_asked)
    return {check.name: check for check in checks}


def failed(trace: xr.DataTree, **settings: object) -> tuple[str, ...]:
    return tuple(name for name, check in judge(trace, **settings).items() if not check.passed)


def with_posterior(trace: xr.DataTree, posterior: xr.Dataset) -> xr.DataTree:
    changed = trace.copy()
    changed["posterior"] = xr.DataTree(posterior)
    return changed


def change(trace: xr.DataTree, edit: Callable[[xr.Dataset], xr.Dataset | None]) -> xr.DataTree:
    """Return the trace with an edited copy of its posterior."""
    posterior = trace["posterior"].to_dataset().copy(deep=True)
    edited = edit(posterior)
    return with_posterior(trace, posterior if edited is None else edited)


def cut(trace: xr.DataTree, **sizes: int) -> xr.DataTree:
    """Return the first chains or draws of every group."""
    return xr.DataTree.from_dict(
        {
            name: trace[name].to_dataset().isel({dim: slice(size) for dim, size in sizes.items()})
            for name in ("posterior", "sample_stats")
        }
    )


# --- convergence --------------------------------------------------------------------------------


def test_good_posterior_passes(trace: xr.DataTree) -> None:
    checks = judge(trace)
    assert tuple(checks) == ALL
    assert failed(trace) == ()
    assert 1.0 <= checks["rhat_max"].value < 1.01
    assert checks["ess_bulk_min"].value > 1500
    assert (checks["divergences"].value, checks["chains"].value) == (0.0, 4.0)
    assert checks["bfmi_min"].value > 1.5 and checks["max_depth_share"].value == 0.0
    assert all(checks[name].where.split("[")[0] in PARAMETERS for name in MEASURES)
    assert {check.stage for check in checks.values()} == {"convergence"}
    assert all(check.advice for check in checks.values())


def test_model_without_controls_and_season_passes() -> None:
    bare = ModelConfig(channel_columns=("TV",), yearly_seasonality=0)
    checks = convergence_checks(convergent_trace(bare), free_parameters(bare), LIMITS, 4)
    assert all(check.passed for check in checks)


def test_worst_values_are_those_of_arviz(trace: xr.DataTree) -> None:
    posterior = trace["posterior"].to_dataset()
    measured = {
        "rhat_max": (az.rhat(posterior), max),
        "ess_bulk_min": (az.ess(posterior, method="bulk"), min),
        "ess_tail_min": (az.ess(posterior, method="tail"), min),
    }
    for name, (values, worst) in measured.items():
        flat = [float(value) for part in values.data_vars.values() for value in part.values.flat]
        assert len(flat) == sum(PARAMETERS.values())
        assert judge(trace)[name].value == worst(flat)


def test_worst_parameter_is_named(trace: xr.DataTree) -> None:
    def shift(posterior: xr.Dataset) -> None:
        posterior["saturation_lam"][0, :, 1] += 2.0

    checks = judge(change(trace, shift))
    for name in ("rhat_max", "ess_bulk_min"):
        assert checks[name].where == "saturation_lam[Radio]"


@pytest.mark.parametrize("name", PARAMETERS)
def test_chains_in_different_places_fail(trace: xr.DataTree, name: str) -> None:
    def shift(posterior: xr.Dataset) -> None:
        posterior[name][0] += 3.0

    checks = judge(change(trace, shift))
    assert not checks["rhat_max"].passed and checks["rhat_max"].value > 1.2
    assert not checks["ess_bulk_min"].passed
    assert checks["rhat_max"].where.startswith(name)


@pytest.mark.parametrize("name", PARAMETERS)
@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_draw_that_is_not_finite_fails(trace: xr.DataTree, name: str, bad: float) -> None:
    def spoil(posterior: xr.Dataset) -> None:
        posterior[name].values.flat[17] = bad

    checks = judge(change(trace, spoil))
    for measure in MEASURES:
        assert not checks[measure].passed and math.isnan(checks[measure].value)
        assert checks[measure].where.startswith(name)


@pytest.mark.parametrize("name", PARAMETERS)
def test_constant_parameter_fails(trace: xr.DataTree, name: str) -> None:
    def freeze(posterior: xr.Dataset) -> None:
        posterior[name].values[...] = 0.5

    checks = judge(change(trace, freeze))
    assert not checks["rhat_max"].passed
    assert math.isnan(checks["rhat_max"].value) and checks["rhat_max"].where.startswith(name)


def test_one_constant_item_of_a_parameter_fails(trace: xr.DataTree) -> None:
    def freeze(posterior: xr.Dataset) -> None:
        posterior["adstock_alpha"][:, :, 0] = 0.0

    check = judge(change(trace, freeze))["rhat_max"]
    assert not check.passed and check.where.startswith("adstock_alpha[TV]")


def test_each_chain_stuck_at_its_own_value_fails(trace: xr.DataTree) -> None:
    def stick(posterior: xr.Dataset) -> None:
        posterior["y_sigma"].values[...] = np.arange(4.0)[:, None]

    assert "rhat_max" in failed(change(trace, stick))


@pytest.mark.parametrize("name", PARAMETERS)
def test_missing_parameter_fails(trace: xr.DataTree, name: str) -> None:
    checks = judge(change(trace, lambda posterior: posterior.drop_vars(name)))
    for measure in MEASURES:
        assert not checks[measure].passed and checks[measure].where == f"{name} (missing)"


def test_parameter_that_the_model_does_not_have_fails(trace: xr.DataTree) -> None:
    def add(posterior: xr.Dataset) -> xr.Dataset:
        return posterior.assign(surprise=posterior["y_sigma"])

    checks = judge(change(trace, add))
    assert all("surprise" in checks[name].where for name in MEASURES)
    assert set(MEASURES) <= set(failed(change(trace, add)))


@pytest.mark.parametrize("name", ["saturation_beta", "gamma_control", "gamma_fourier"])
@pytest.mark.parametrize("how", ["fewer", "more", "no longer a list"])
def test_parameter_of_wrong_size_fails(trace: xr.DataTree, name: str, how: str) -> None:
    def resize(posterior: xr.Dataset) -> xr.Dataset:
        values = posterior[name].values
        shape = {"fewer": values[:, :, :-1], "more": np.concatenate([values, values], axis=2)}
        rest = posterior.drop_vars(name)
        if how == "no longer a list":
            return rest.assign({name: (("chain", "draw"), values[:, :, 0])})
        return rest.assign({name: (("chain", "draw", "other"), shape[how])})

    if PARAMETERS[name] == 1 and how == "no longer a list":
        assert failed(change(trace, resize)) == ()  # one value is one value
        return
    checks = judge(change(trace, resize))
    for measure in MEASURES:
        assert not checks[measure].passed and checks[measure].where.startswith(name)


@pytest.mark.parametrize("dim", ["chain", "draw"])
def test_parameter_that_was_not_drawn_fails(trace: xr.DataTree, dim: str) -> None:
    edited = change(trace, lambda p: p.assign(adstock_alpha=p["adstock_alpha"].isel({dim: 0})))
    assert set(MEASURES) <= set(failed(edited))


def test_order_of_dimensions_does_not_matter(trace: xr.DataTree) -> None:
    turned = change(trace, lambda p: p.transpose(..., "draw", "chain"))
    assert failed(turned) == ()
    assert judge(turned)["rhat_max"] == judge(trace)["rhat_max"]


def test_empty_posterior_fails(trace: xr.DataTree) -> None:
    assert failed(with_posterior(trace, xr.Dataset())) == ALL
    assert failed(cut(trace, draw=0)) == (*MEASURES, "chains", "bfmi_min", "max_depth_share")
    assert failed(cut(trace, chain=0)) == (*MEASURES, "chains", "bfmi_min", "max_depth_share")


def test_nothing_at_all_fails(trace: xr.DataTree) -> None:
    assert failed(xr.DataTree()) == ALL
    only_stats = xr.DataTree.from_dict({"sample_stats": trace["sample_stats"].to_dataset()})
    assert failed(only_stats) == ALL


def test_no_parameters_to_judge_fails(trace: xr.DataTree) -> None:
    checks = convergence_checks(with_posterior(trace, xr.Dataset()), {}, LIMITS, 4)
    assert not any(check.passed for check in checks)
    drawn = xr.Dataset(coords={"chain": range(4), "draw": range(500)})
    checks = convergence_checks(with_posterior(trace, drawn), {}, LIMITS, 4)
    assert not any(check.passed for check in checks if check.name in MEASURES)


def test_one_chain_fails(trace: xr.DataTree) -> None:
    one = cut(trace, chain=1)
    assert failed(one) == (*MEASURES, "chains")
    assert "1 chain(s)" in judge(one)["rhat_max"].where


@pytest.mark.parametrize(
    ("sampled", "asked", "limit"), [(2, 4, 4), (3, 2, 4), (4, 6, 4), (4, 4, 5)]
)
def test_fewer_chains_than_asked_or_required_fail(sampled: int, asked: int, limit: int) -> None:
    trace = convergent_trace(MODEL, chains=sampled)
    check = judge(trace, limits=GateConfig(chains_min=limit), chains_asked=asked)["chains"]
    assert not check.passed
    assert (check.value, check.limit) == (sampled, max(asked, limit))


def test_more_chains_than_asked_pass() -> None:
    assert failed(convergent_trace(MODEL, chains=5)) == ()


def test_too_few_draws_fail(trace: xr.DataTree) -> None:
    few = cut(trace, draw=90)  # 360 independent draws cannot have an ESS of 400
    assert {"ess_bulk_min", "ess_tail_min"} <= set(failed(few))


@pytest.mark.parametrize("draws", [1, 2, 3])
def test_draws_too_few_to_measure_fail(trace: xr.DataTree, draws: int) -> None:
    few = cut(trace, draw=draws)
    assert set(MEASURES) <= set(failed(few))
    assert math.isnan(judge(few)["rhat_max"].value)


def test_slowly_mixing_chains_fail(trace: xr.DataTree) -> None:
    def slow(posterior: xr.Dataset) -> None:
        draws = posterior["y_sigma"].values
        for step in range(1, draws.shape[1]):
            draws[:, step] += 0.98 * draws[:, step - 1]

    assert "ess_bulk_min" in failed(change(trace, slow))


def test_repeated_draws_fail(trace: xr.DataTree) -> None:
    def repeat(posterior: xr.Dataset) -> None:
        draws = posterior["y_sigma"].values
        draws[:] = np.repeat(draws[:, :50], 10, axis=1)

    assert {"ess_bulk_min", "ess_tail_min"} <= set(failed(change(trace, repeat)))


def with_stats(trace: xr.DataTree, stats: xr.Dataset | None) -> xr.DataTree:
    groups = {"posterior": trace["posterior"].to_dataset()}
    return xr.DataTree.from_dict(groups | ({} if stats is None else {"sample_stats": stats}))


def test_one_divergence_fails(trace: xr.DataTree) -> None:
    trace["sample_stats"]["diverging"][3, 499] = True
    assert failed(trace) == ("divergences",)
    assert judge(trace)["divergences"].value == 1.0


def test_missing_sample_stats_fail(trace: xr.DataTree) -> None:
    without = with_stats(trace, None)
    assert failed(without) == STATISTICS
    assert all(math.isnan(judge(without)[name].value) for name in STATISTICS)


NAMED = {"divergences": "diverging", "bfmi_min": "energy", "max_depth_share": "maxdepth_reached"}
every_statistic = pytest.mark.parametrize(("name", "variable"), NAMED.items())


def change_stats(trace: xr.DataTree, **changed: np.ndarray) -> xr.DataTree:
    """Return the trace with some sampler statistics replaced, shape (chain, draw)."""
    stats = trace["sample_stats"].to_dataset().copy(deep=True)
    return with_stats(trace, stats.assign({n: (("chain", "draw"), v) for n, v in changed.items()}))


@every_statistic
def test_missing_statistic_fails(trace: xr.DataTree, name: str, variable: str) -> None:
    stats = trace["sample_stats"].to_dataset()
    for without in (stats.drop_vars(variable), stats.rename({variable: "another"})):
        assert failed(with_stats(trace, without)) == (name,)
        check = judge(with_stats(trace, without))[name]
        assert math.isnan(check.value) and f"sample_stats.{variable} (missing" in check.where


@every_statistic
@pytest.mark.parametrize("part", [{"draw": slice(499)}, {"chain": slice(3)}, {"draw": 0}])
def test_statistic_of_another_shape_fails(
    trace: xr.DataTree, name: str, variable: str, part: dict[str, object]
) -> None:
    stats = trace["sample_stats"].to_dataset()
    other = stats.isel(part)
    assert failed(with_stats(trace, other)) == STATISTICS
    values = other[variable].to_numpy()
    dims = ("other", "draws")[-values.ndim :]
    one = with_stats(trace, stats.drop_vars(variable).assign({variable: (dims, values)}))
    assert failed(one) == (name,)
    assert math.isnan(judge(one)[name].value)


# --- energy and tree depth ----------------------------------------------------------------------


def autocorrelated(share: float, shape: tuple[int, int] = (4, 500)) -> np.ndarray:
    """Return energies that follow each other, shape (chain, draw): slow moves between levels."""
    values = np.random.default_rng(2).normal(size=shape)
    for step in range(1, shape[1]):
        values[:, step] += share * values[:, step - 1]
    return values


def test_energy_that_moves_slowly_fails(trace: xr.DataTree) -> None:
    assert failed(change_stats(trace, energy=autocorrelated(0.5))) == ()
    slow = change_stats(trace, energy=autocorrelated(0.95))
    assert failed(slow) == ("bfmi_min",)
    assert 0 < judge(slow)["bfmi_min"].value < 0.3


@pytest.mark.parametrize("chain", range(4))
def test_one_slow_chain_fails_and_is_named(trace: xr.DataTree, chain: int) -> None:
    energy = trace["sample_stats"]["energy"].to_numpy().copy()
    energy[chain] = autocorrelated(0.95)[chain]
    check = judge(change_stats(trace, energy=energy))["bfmi_min"]
    assert not check.passed and check.where == f"chain {chain}"
    assert check.value == az.bfmi(energy)[chain] == min(az.bfmi(energy))


def test_limit_of_the_energy_is_that_of_the_config(trace: xr.DataTree) -> None:
    middling = change_stats(trace, energy=autocorrelated(0.75))
    value = judge(middling)["bfmi_min"].value
    assert 0.3 < value < 0.7
    assert failed(middling, limits=GateConfig(bfmi_min=value)) == ()  # at least
    above = GateConfig(bfmi_min=math.nextafter(value, 1.0))
    assert failed(middling, limits=above) == ("bfmi_min",)


@pytest.mark.parametrize("unknown", [math.nan, math.inf, -math.inf])
def test_one_unknown_energy_fails(trace: xr.DataTree, unknown: float) -> None:
    energy = trace["sample_stats"]["energy"].to_numpy().copy()
    energy[2, 100] = unknown
    check = judge(change_stats(trace, energy=energy))["bfmi_min"]
    assert not check.passed and math.isnan(check.value) and check.where == "chain 2"


@pytest.mark.parametrize("level", [0.0, 1.0, 0.1, 812.37])
@pytest.mark.parametrize("chains", [slice(4), slice(1)], ids=["every chain", "one chain"])
def test_constant_energy_fails(trace: xr.DataTree, level: float, chains: slice) -> None:
    energy = trace["sample_stats"]["energy"].to_numpy().copy()
    energy[chains] = level
    constant = change_stats(trace, energy=energy)
    assert failed(constant) == ("bfmi_min",)
    assert judge(constant)["bfmi_min"].where == "chain 0"


def reached(share: float) -> np.ndarray:
    """Return flags of 2,000 draws of which a share was cut short, shape (chain, draw)."""
    flags = np.zeros(2000, dtype=bool)
    flags[: round(2000 * share)] = True
    return flags.reshape(4, 500)


@pytest.mark.parametrize(
    ("share", "passed"), [(0.0, True), (0.05, True), (0.0505, False), (0.5, False), (1.0, False)]
)
def test_draws_at_the_largest_depth_are_counted(
    trace: xr.DataTree, share: float, passed: bool
) -> None:
    cut_short = change_stats(trace, maxdepth_reached=reached(share))
    assert judge(cut_short)["max_depth_share"].value == share
    assert failed(cut_short) == (() if passed else ("max_depth_share",))


def test_limit_of_the_depth_is_that_of_the_config(trace: xr.DataTree) -> None:
    few = change_stats(trace, maxdepth_reached=reached(0.01))
    assert failed(few, limits=GateConfig(max_depth_share_max=0.01)) == ()  # at most
    assert failed(few, limits=GateConfig(max_depth_share_max=0.009)) == ("max_depth_share",)


@pytest.mark.parametrize("unknown", [math.nan, math.inf])
@pytest.mark.parametrize("draws", [1, 500])
def test_unknown_depth_fails(trace: xr.DataTree, unknown: float, draws: int) -> None:
    flags = reached(0.0).astype(float)
    flags[1, :draws] = unknown
    unsure = change_stats(trace, maxdepth_reached=flags)
    assert failed(unsure) == ("max_depth_share",)
    assert math.isnan(judge(unsure)["max_depth_share"].value)


@pytest.mark.parametrize("unknown", [math.nan, -1.0])
def test_divergences_that_are_unknown_fail(trace: xr.DataTree, unknown: float) -> None:
    diverging = trace["sample_stats"].to_dataset().astype("float64")
    diverging["diverging"][0, 0] = unknown
    diverging["diverging"][0, 1] = 1.0  # -1 and 1 add up to none
    assert failed(with_stats(trace, diverging)) == ("divergences",)


def test_optimum_fails(trace: xr.DataTree) -> None:
    # What `fit_map` leaves behind: one chain of one draw.
    optimum = cut(trace, chain=1, draw=1)
    assert failed(optimum) == (*MEASURES, "chains", "bfmi_min")
    assert failed(with_stats(optimum, None)) == ALL


def test_variational_draws_fail(trace: xr.DataTree) -> None:
    # What ADVI leaves behind: one chain of independent draws, statistics without divergences.
    stats = xr.Dataset({"loss": ("step", np.linspace(900.0, 400.0, 100))})
    assert failed(with_stats(cut(trace, chain=1), stats)) == ALL
    assert failed(with_stats(cut(trace, chain=1), None)) == ALL
    # The same draws, cut into four chains, look converged: only their origin gives them away.
    assert failed(with_stats(trace, stats)) == STATISTICS


def test_value_exactly_at_its_limit_fails(trace: xr.DataTree) -> None:
    measured = judge(trace)
    names = {"rhat_max": "rhat_max", "ess_bulk_min": "ess_bulk_min", "ess_tail_min": "ess_tail_min"}
    for name, field in names.items():
        limits = GateConfig(**{field: measured[name].value})
        assert failed(trace, limits=limits) == (name,)
        passing = math.nextafter(measured[name].value, 2.0 if name == "rhat_max" else 0.0)
        assert failed(trace, limits=GateConfig(**{field: passing})) == ()


@pytest.mark.parametrize(
    ("name", "limit", "passing"),
    [("rhat_max", 1.01, 1.0099999), ("ess_bulk_min", 400.0, 400.001), ("ess_tail_min", 400, 400.1)],
)
def test_limits_themselves_fail(
    trace: xr.DataTree, name: str, limit: float, passing: float
) -> None:
    check = judge(trace)[name]
    assert not replace(check, value=limit).passed
    assert replace(check, value=passing).passed


def test_part_of_the_checks_is_no_pass(trace: xr.DataTree) -> None:
    report = GateReport(tuple(judge(trace).values()))
    assert not report.failures and not report.passed
    assert set(report.missing) == {"prior_extreme_share", "coverage_94", "decomposition_gap"}


# --- prior --------------------------------------------------------------------------------------

OBSERVED = np.array([80.0, 100.0, 60.0])


def test_sensible_prior_passes() -> None:
    check = prior_check(np.full((50, 3), 90.0), OBSERVED, LIMITS)
    assert check.passed and check.value == 0.0 and check.name == "prior_extreme_share"


@pytest.mark.parametrize("bad", [-1e-9, 500.001, math.nan, math.inf, -math.inf])
def test_impossible_sales_are_counted(bad: float) -> None:
    draws = np.full((10, 10), 90.0)
    draws[:2] = bad
    at_limit = prior_check(draws, OBSERVED, LIMITS)
    assert at_limit.value == 0.2 and at_limit.passed  # at most 20 %
    draws[2, 0] = bad
    above = prior_check(draws, OBSERVED, LIMITS)
    assert above.value == 0.21 and not above.passed


@pytest.mark.parametrize("possible", [0.0, 100.0, 500.0])
def test_possible_sales_are_not_counted(possible: float) -> None:
    assert prior_check(np.full((10, 10), possible), OBSERVED, LIMITS).value == 0.0


@pytest.mark.parametrize(
    "draws",
    [
        np.random.default_rng(1).normal(-50.0, 60.0, (500, 3)),
        np.random.default_rng(1).normal(0.0, 2000.0, (500, 3)),
        np.full((500, 3), math.nan),
        np.empty((0, 3)),
        np.empty((0,)),
    ],
    ids=["mostly negative", "far too wide", "not a number", "no draws", "nothing"],
)
def test_nonsense_prior_fails(draws: np.ndarray) -> None:
    assert not prior_check(draws, OBSERVED, LIMITS).passed


def test_unknown_observed_sales_fail() -> None:
    assert not prior_check(np.full((10, 3), 90.0), np.array([80.0, math.nan, 1.0]), LIMITS).passed


def test_prior_limits_can_be_tightened() -> None:
    draws = np.full((10, 10), 90.0)
    draws[:, 0] = 250.0
    assert prior_check(draws, OBSERVED, LIMITS).passed
    tight = GateConfig(prior_extreme_multiple=2.0, prior_extreme_share_max=0.05)
    check = prior_check(draws, OBSERVED, tight)
    assert not check.passed and (check.value, check.limit) == (0.1, 0.05)


# --- predictions --------------------------------------------------------------------------------


def test_predictive_metrics_against_a_calculation_by_hand() -> None:
    observed = np.array([100.0, 200.0, 400.0])
    # Means 110, 180, 400; each week's draws are mean - 10, mean, mean + 10.
    draws = np.array([[100.0, 170.0, 390.0], [110.0, 180.0, 400.0], [120.0, 190.0, 410.0]])
    found = predictive_metrics(observed, draws)
    assert found["mape"] == pytest.approx((10 / 100 + 20 / 200 + 0) / 3)
    mean = 700 / 3
    total = sum((value - mean) ** 2 for value in (100, 200, 400))
    assert found["r2"] == pytest.approx(1 - (10**2 + 20**2) / total)
    # The 50 % interval is mean -+ 5, the 94 % interval mean -+ 9.4: only the third week is inside.
    assert found["coverage_50"] == found["coverage_94"] == pytest.approx(1 / 3)


def test_coverage_is_that_of_the_interval() -> None:
    rng = np.random.default_rng(3)
    truth = rng.normal(1000.0, 10.0, 5000)
    draws = rng.normal(1000.0, 10.0, (400, 5000))
    found = predictive_metrics(truth, draws)
    assert found["coverage_50"] == pytest.approx(0.50, abs=0.025)
    assert found["coverage_94"] == pytest.approx(0.94, abs=0.015)


def test_perfect_prediction() -> None:
    observed = np.array([1.0, 2.0, 4.0])
    found = predictive_metrics(observed, np.tile(observed, (5, 1)))
    assert found == {"mape": 0.0, "r2": 1.0, "coverage_50": 1.0, "coverage_94": 1.0}


def test_week_without_sales_is_left_out_of_the_percentage_error() -> None:
    found = predictive_metrics(np.array([0.0, 100.0]), np.array([[5.0, 110.0], [5.0, 110.0]]))
    assert found["mape"] == pytest.approx(0.1)


# --- decomposition ------------------------------------------------------------------------------

SHAPE = (6, 5)


def make_parts() -> Decomposition:
    rng = np.random.default_rng(5)

    def part(*more: str, size: tuple[int, ...] = ()) -> xr.DataArray:
        return xr.DataArray(rng.normal(100.0, 10.0, SHAPE + size), dims=("sample", "week", *more))

    channels, controls = part("channel", size=(3,)), part("control", size=(2,))
    events = part("event", size=(2,))
    season, baseline = part() - 100.0, part() + 500.0
    total = channels.sum("channel") + controls.sum("control") + season + baseline
    total = total + events.sum("event")
    return Decomposition(channels, controls, events, season, baseline, total)


def test_parts_that_add_up_pass() -> None:
    check = decomposition_check(make_parts())
    assert check.passed and 0 <= check.value < 1e-12


@pytest.mark.parametrize(
    "name", ["channels", "controls", "events", "seasonality", "baseline", "mean"]
)
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_part_that_is_not_finite_fails(name: str, bad: float) -> None:
    parts = make_parts()
    getattr(parts, name).values.flat[3] = bad
    check = decomposition_check(parts)
    assert not check.passed


def test_part_that_is_not_finite_fails_even_where_it_would_be_nothing() -> None:
    parts = make_parts()
    parts.mean[0, 0] -= parts.controls[0, 0, 0]
    parts.controls[0, 0, 0] = math.nan  # what is left adds up without it
    assert not decomposition_check(parts).passed


@pytest.mark.parametrize("name", ["channels", "controls", "seasonality", "baseline", "mean"])
def test_gap_in_one_draw_of_one_week_fails(name: str) -> None:
    parts = make_parts()
    largest = float(parts.mean.max())
    getattr(parts, name).values.flat[3] += 1e-5 * largest
    check = decomposition_check(parts)
    assert not check.passed and check.value == pytest.approx(1e-5, rel=0.01)


def test_forgotten_part_fails() -> None:
    parts = make_parts()
    nothing = xr.zeros_like(parts.seasonality)
    assert not decomposition_check(replace(parts, seasonality=nothing)).passed


def test_negative_baseline_share_is_counted_over_draws_and_weeks() -> None:
    parts = make_parts()
    assert negative_baseline_share(parts) == 0.0
    parts.baseline[0] = -1e6
    assert negative_baseline_share(parts) == pytest.approx(1 / SHAPE[0])
