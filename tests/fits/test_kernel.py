"""The sampler's density: the model's own, with the level for an intercept, as nutpie calls it."""

import ctypes
import itertools
import json
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pymc as pm
import pytensor
import pytensor.xtensor as ptx
import pytest
import xarray as xr
from scipy.special import expit

from drawn_model import drawn_model
from helpers import PROJECT, PYTHON
from mmm_demo.fits import kernel as kernels
from mmm_demo.fits.build import build_model
from mmm_demo.fits.kernel import Kernel, compile_kernel, log_density
from mmm_demo.fits.response import Response, scaling_of
from mmm_demo.forms.registry import FORMS
from mmm_demo.settings.experiment import (
    MediaConfig,
    ModelConfig,
    ScalingConfig,
    free_parameters,
)
from mmm_demo.settings.priors import PriorConfig
from mmm_demo.tables.lift import COLUMNS

DRAWN = drawn_model()
CONFIG, TABLE = DRAWN.config, DRAWN.table
LEVEL = "intercept_contribution"
LONGEST = 7
LIFT = pd.DataFrame(
    [
        ("Radio", 2e4, 1e4, 2e4, 1e4, pd.Timestamp("2023-06-05")),
        ("TV", 3e4, -3e4, -5e4, 2e4, pd.Timestamp("2023-09-04")),
    ],
    columns=list(COLUMNS),
)
Place = dict[str, np.ndarray]
BACK = {"_log__": np.exp, "_logodds__": expit}


def places(model: pm.Model, number: int = 3) -> list[Place]:
    """Return places where no parameter is at a bound, by the names of the model's values."""
    rng = np.random.default_rng(5)
    return [
        {name: rng.normal(0, 0.7, value.shape) for name, value in model.initial_point().items()}
        for _ in range(number)
    ]


def of_parameter(inside: str) -> tuple[str, str]:
    """Return the parameter of a value inside, and how its name tells its transform."""
    ending = next((ending for ending in BACK if inside.endswith(ending)), "")
    return inside.removesuffix(ending), ending


def natural(model: pm.Model, place: Place) -> xr.Dataset:
    """Return the parameters of a place, one draw; without PyMC's or the kernel's own ways."""
    found = {}
    for inside, value in place.items():
        name, ending = of_parameter(inside)
        dims = model.named_vars_to_dims.get(name) or ()
        values = BACK[ending](value) if ending else value
        found[name] = (("chain", "draw", *dims), np.asarray(values)[None, None])
    return xr.Dataset(found)


def mean_media(config: ModelConfig, table: pd.DataFrame, draws: xr.Dataset) -> float:
    """Return media's mean contribution in scaled sales, in NumPy."""
    scaling = config.scaling or scaling_of(config, table)
    response = Response(config, scaling, draws, table)
    weekly = response.contributions(table[list(config.channel_columns)].to_numpy())
    return weekly.sum(axis=2).mean() / scaling.target


def at_level(config: ModelConfig, table: pd.DataFrame, model: pm.Model, place: Place) -> Place:
    """Return the plain model's place of a place that has the level for an intercept."""
    media = mean_media(config, table, natural(model, place))
    assert abs(media) > 1e-3  # or nothing would be shown
    return place | {LEVEL: place[LEVEL] - media}


def plain(
    config: ModelConfig, table: pd.DataFrame, tests: pd.DataFrame | None = None
) -> Callable[[Place], float]:
    """Return PyMC's own log density of the ordinary model, data and lag as constants."""
    return build_model(config, table, tests).model.compile_logp(mode="FAST_COMPILE")


def flat(kernel: Kernel, place: Place) -> np.ndarray:
    """Return a place as the sampler has it."""
    by_name = {of_parameter(inside)[0]: value for inside, value in place.items()}
    return np.concatenate([np.ravel(by_name[item.name]) for item in kernel.items])


def called(kernel: Kernel, place: np.ndarray) -> tuple[int, float, np.ndarray]:
    """Call the density as nutpie does, through its address; return code, value and slope."""
    compiled, doubles = kernel.compiled, ctypes.POINTER(ctypes.c_double)
    kind = ctypes.CFUNCTYPE(
        ctypes.c_int64, ctypes.c_uint64, doubles, doubles, doubles, ctypes.c_void_p
    )
    place = np.ascontiguousarray(place, float)
    slope, value = np.full(len(place), 7.0), np.full(1, 7.0)
    pointers = [array.ctypes.data_as(doubles) for array in (place, slope, value)]
    density = kind(compiled.compiled_logp_func.address)
    code = density(len(place), *pointers, compiled.user_data.ctypes.data)
    return code, float(value[0]), slope


def assert_same(
    kernel: Kernel,
    config: ModelConfig,
    table: pd.DataFrame,
    tests: pd.DataFrame | None = None,
) -> None:
    """Hold value and slope of a kernel to the plain model's density."""
    model = build_model(config, table, tests).model
    expected = plain(config, table, tests)
    for place in places(model):
        at = flat(kernel, place)
        code, value, slope = called(kernel, at)
        theirs, added = of_moved(kernel, model, place)
        theirs = expected(at_level(config, table, model, theirs) if kernel.level else theirs)
        theirs += added
        assert (code, value) == (0, pytest.approx(theirs, rel=1e-9))
        assert slope == pytest.approx(differences(kernel, at), rel=1e-5, abs=1e-4)


def of_moved(kernel: Kernel, model: pm.Model, place: Place) -> tuple[Place, float]:
    """Return the plain model's place of one with pooled and soft values, and the log Jacobian."""
    added = 0.0
    for item in kernel.items:
        if item.soft:
            at = place[f"{item.name}_log__"]
            value = item.soft * np.log1p(np.exp(at / item.soft))
            place = place | {f"{item.name}_log__": np.log(value)}
            added += float(np.sum(np.log(expit(at / item.soft) / value)))
    for values, pool in kernel.pools.items():
        log_size = place[f"{pool.size}_log__"]
        place = place | {values: place[values] / np.exp(log_size * pool.powers)}
        added -= float(log_size * pool.powers.sum())
    return place, added


def differences(kernel: Kernel, place: np.ndarray) -> np.ndarray:
    """Return the slope by central differences."""
    step = 1e-5
    moved = np.eye(len(place)) * step
    return np.array(
        [
            (called(kernel, place + move)[1] - called(kernel, place - move)[1]) / (2 * step)
            for move in moved
        ]
    )


# The graph: the posterior is the plain model's, shifted

DIFFERENT = {"Radio": MediaConfig("delayed", 5, "hill"), "TV": MediaConfig("none")}
PARTS = [
    {"control_columns": controls, "yearly_seasonality": modes, "priors": {}}
    for controls, modes in itertools.product([(), ("Trend",)], [0, 2])
]


@pytest.mark.parametrize("tests", [None, LIFT], ids=["history", "lift tests"])
@pytest.mark.parametrize("saturation", FORMS["saturation"])
@pytest.mark.parametrize("adstock", FORMS["adstock"])
def test_the_density_of_the_level_is_the_models_with_the_intercept_shifted(
    adstock: str, saturation: str, tests: pd.DataFrame | None
) -> None:
    config = replace(CONFIG, adstock=adstock, saturation=saturation)
    assert_shifted(config, tests)


@pytest.mark.parametrize("tests", [None, LIFT], ids=["history", "lift tests"])
def test_so_it_is_where_channels_differ(tests: pd.DataFrame | None) -> None:
    assert_shifted(replace(CONFIG, media=DIFFERENT), tests)


@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_so_it_is_with_and_without_controls_and_seasonality(parts: dict) -> None:
    assert_shifted(replace(CONFIG, **parts), None)


@pytest.mark.parametrize("noise", FORMS["noise"])
@pytest.mark.parametrize("autocorrelation", [False, True])
def test_so_it_is_of_every_noise_with_lift_tests(noise: str, autocorrelation: bool) -> None:
    config = replace(CONFIG, noise=noise, autocorrelation=autocorrelation)
    assert_shifted(config, LIFT)


def assert_shifted(config: ModelConfig, tests: pd.DataFrame | None) -> None:
    model = build_model(config, TABLE, tests, LONGEST).model
    level, same = (
        model.compile_fn(log_density(model, level), inputs=model.value_vars, mode="FAST_COMPILE")
        for level in (True, False)
    )
    expected = plain(config, TABLE, tests)
    for place in places(model):
        intercept_at = at_level(config, TABLE, model, place)
        assert level(place) == pytest.approx(expected(intercept_at), rel=1e-9)
        assert same(place) == pytest.approx(expected(place), rel=1e-9)
        assert level(place) != pytest.approx(expected(place), rel=1e-6)


# What nutpie calls


@pytest.mark.parametrize("baseline", FORMS["baseline"])
def test_every_baseline_has_the_density_of_the_plain_model(baseline: str) -> None:
    config = replace(CONFIG, baseline=baseline)
    made = compile_kernel(build_model(config, TABLE, None, LONGEST).model)
    assert [*made.pools] == (["drift_wave"] if baseline == "drift" else [])
    assert_same(made, config, TABLE)


def test_pooled_values_come_back_in_units_of_their_size() -> None:
    config = replace(CONFIG, baseline="drift")
    model = build_model(config, TABLE, None, LONGEST).model
    made, (place, *_) = compile_kernel(model), places(model)
    drawn = made.parameters(flat(made, place)[None, None])
    size = np.exp(place["drift_size_log__"])
    assert drawn["drift_size"].item() == pytest.approx(size)
    assert drawn["drift_wave"].to_numpy()[0, 0] == pytest.approx(
        place["drift_wave"] / size ** made.pools["drift_wave"].powers
    )


def test_a_soft_value_comes_back_as_itself_above_its_unit_and_as_an_exponential_below() -> None:
    model = build_model(replace(CONFIG, adstock="delayed"), TABLE, None, LONGEST).model
    made = compile_kernel(model)
    (item,) = [item for item in made.items if item.soft]
    assert (item.name, item.soft) == ("adstock_theta", 0.1)
    place = next(iter(places(model))) | {"adstock_theta_log__": np.array([3.0, -1.0])}
    drawn = made.parameters(flat(made, place)[None, None])
    found = dict(zip(model.coords["channel"], drawn["adstock_theta"].to_numpy()[0, 0], strict=True))
    assert found["TV"] == pytest.approx(3.0, rel=1e-9)
    assert found["Radio"] == pytest.approx(0.1 * np.exp(-1.0 / 0.1), rel=1e-4)


def test_what_more_weeks_tell_is_moved_more_with_its_size() -> None:
    config = replace(CONFIG, baseline="drift", scaling=scaling_of(CONFIG, TABLE))
    whole, half = (
        build_model(config, table, None, LONGEST).model
        for table in (TABLE, TABLE.head(60).reset_index(drop=True))
    )
    made = compile_kernel(whole)
    before, after = (of.pools["drift_wave"].powers for of in (made, made.with_data(half)))
    assert ((before > 0) & (before < 1)).all() and before.shape == (20,)
    assert before[1] > 0.9 and before[-1] < 0.1
    assert after[:4].sum() < before[:4].sum()


@pytest.fixture(scope="module")
def kernel() -> Kernel:
    return compile_kernel(build_model(CONFIG, TABLE, None, LONGEST).model)


def test_the_compiled_density_and_its_slope_are_the_models(kernel: Kernel) -> None:
    assert kernel.level
    assert_same(kernel, CONFIG, TABLE)


OTHER_SHAPES = [
    pytest.param(replace(CONFIG, adstock=adstock, saturation=saturation), tests, id=name)
    for adstock, saturation in itertools.product(FORMS["adstock"], FORMS["saturation"])
    for name, tests in ((f"{adstock} {saturation}", None), (f"{adstock} {saturation} lift", LIFT))
]


OTHER_SHAPES += [
    pytest.param(replace(CONFIG, media=DIFFERENT), tests, id=f"different {name}")
    for name, tests in (("history", None), ("lift", LIFT))
]


@pytest.mark.slow
@pytest.mark.parametrize(("config", "tests"), OTHER_SHAPES)
def test_so_they_are_for_every_form_with_and_without_lift_tests(
    config: ModelConfig, tests: pd.DataFrame | None
) -> None:
    kernel = compile_kernel(build_model(config, TABLE, tests, LONGEST).model)
    assert_same(kernel, config, TABLE, tests)


@pytest.mark.slow
@pytest.mark.parametrize("parts", PARTS, ids=str)
def test_so_they_are_with_and_without_controls_and_seasonality(parts: dict) -> None:
    config = replace(CONFIG, **parts)
    kernel = compile_kernel(build_model(config, TABLE, None, LONGEST).model)
    assert {item.name: item.size for item in kernel.items} == free_parameters(config)
    assert_same(kernel, config, TABLE)


@pytest.mark.parametrize(
    ("distribution", "parameters"),
    [
        ("HalfNormal", {"sigma": 0.5}),
        pytest.param("Gamma", {"alpha": 2.0, "beta": 4.0}, marks=pytest.mark.slow),
        pytest.param("LogNormal", {"mu": -1.0, "sigma": 0.4}, marks=pytest.mark.slow),
        pytest.param("Exponential", {"lam": 2.0}, marks=pytest.mark.slow),
    ],
)
def test_a_positive_intercept_stays_itself(distribution: str, parameters: dict) -> None:
    positive = PriorConfig(distribution, parameters, "sales without media are no loss")
    config = replace(CONFIG, priors=CONFIG.priors | {"intercept": positive})
    kernel = compile_kernel(build_model(config, TABLE, None, LONGEST).model)
    assert not kernel.level
    assert_same(kernel, config, TABLE)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("distribution", "parameters"),
    [("Laplace", {"mu": 0.5, "b": 0.2}), ("StudentT", {"nu": 4.0, "mu": 0.5, "sigma": 0.2})],
)
def test_any_other_intercept_is_a_level(distribution: str, parameters: dict) -> None:
    prior = PriorConfig(distribution, parameters, "heavy tails")
    config = replace(CONFIG, priors=CONFIG.priors | {"intercept": prior})
    kernel = compile_kernel(build_model(config, TABLE, None, LONGEST).model)
    assert kernel.level
    assert_same(kernel, config, TABLE)


# Other data

PRIORS = CONFIG.priors | {
    "intercept": PriorConfig("Normal", {"mu": 0.1, "sigma": 0.7}, "other"),
    "adstock_alpha": PriorConfig("Beta", {"alpha": 2.0, "beta": 2.0}, "other"),
    "saturation_lam": PriorConfig("Gamma", {"alpha": 2.0, "beta": 0.5}, "other"),
    "saturation_beta": PriorConfig("HalfNormal", {"sigma": (0.6, 0.1)}, "other"),
    "gamma_control": PriorConfig("Normal", {"mu": 0.1, "sigma": 0.3}, "other"),
    "gamma_fourier": PriorConfig("Laplace", {"mu": 0.1, "b": 0.3}, "other"),
    "y_sigma": PriorConfig("HalfNormal", {"sigma": 0.3}, "other"),
}
SCALING = ScalingConfig(9_000_000.0, (40_000.0, 30_000.0))


def other_weeks() -> pd.DataFrame:
    """Return a table of another length, with other values in every column."""
    table = TABLE.iloc[20:90].reset_index(drop=True)
    return table.assign(Sales=0.8 * table["Sales"], TV=2 * table["TV"], Trend=-table["Trend"])


@pytest.mark.parametrize(
    ("changes", "table"),
    [
        ({}, other_weeks()),
        ({}, TABLE.head(30)),
        ({"adstock_max_lag": 1}, TABLE),
        ({"adstock_max_lag": LONGEST}, other_weeks()),
        ({"priors": PRIORS}, TABLE),
        ({"priors": PRIORS, "scaling": SCALING, "adstock_max_lag": 2}, other_weeks()),
    ],
)
def test_a_kernel_with_other_data_has_their_density_and_lets_the_first_keep_its_own(
    kernel: Kernel, changes: dict, table: pd.DataFrame
) -> None:
    config = replace(CONFIG, **changes)
    at = flat(kernel, places(build_model(CONFIG, TABLE).model)[0])
    before = called(kernel, at)
    other = kernel.with_data(build_model(config, table, None, LONGEST).model)
    assert_same(other, config, table)
    assert called(other, at)[1] != pytest.approx(before[1], rel=1e-6)
    after = called(kernel, at)
    assert after[:2] == before[:2] and np.array_equal(after[2], before[2])


@pytest.mark.parametrize(
    ("noise", "autocorrelation"),
    [
        ("student_t", True),
        pytest.param("normal", True, marks=pytest.mark.slow),
        pytest.param("student_t", False, marks=pytest.mark.slow),
    ],
)
def test_a_kernel_of_every_noise_takes_other_data(noise: str, autocorrelation: bool) -> None:
    config = replace(CONFIG, noise=noise, autocorrelation=autocorrelation)
    kernel = compile_kernel(build_model(config, TABLE, None, LONGEST).model)
    assert {item.name: item.size for item in kernel.items} == free_parameters(config)
    assert_same(kernel, config, TABLE)
    own = {
        "y_sigma": PriorConfig("HalfNormal", {"sigma": 0.3}, "other"),
        "y_rho": PriorConfig("Beta", {"alpha": 4.0, "beta": 2.0}, "other"),
        "y_nu_above_2": PriorConfig("LogNormal", {"mu": 1.0, "sigma": 0.5}, "other"),
    }
    known = {name: own.get(name, prior) for name, prior in config.priors.items()}
    for table in (other_weeks(), TABLE.head(30)):
        other = replace(config, priors=known, adstock_max_lag=2)
        assert_same(kernel.with_data(build_model(other, table, None, LONGEST).model), other, table)
    at = flat(kernel, places(build_model(config, TABLE).model)[0])
    for name in {"y_rho", "y_nu_above_2"} & {*config.priors}:
        place = [item.name for item in kernel.items].index(name)
        start = sum(item.size for item in kernel.items[:place])
        for far in (np.nan, np.inf, 800.0):  # where rho rounds to 1
            odd = at.copy()
            odd[start] = far
            assert called(kernel, odd)[0] > 0, (name, far)


# What the sampler is told of places where there is no density


@pytest.mark.parametrize("far", [np.nan, np.inf, -np.inf, 800.0, -800.0])
def test_a_place_without_density_is_refused(kernel: Kernel, far: float) -> None:
    """Also where a scale rounds to 0: PyMC's own check of it would raise where nothing can."""
    at = flat(kernel, places(build_model(CONFIG, TABLE).model)[0])
    assert called(kernel, at)[0] == 0
    for place in (np.full_like(at, far), np.array([*at[:-1], far])):
        assert called(kernel, place)[0] > 0


def test_a_place_of_the_wrong_size_is_no_place_to_go_on_from(kernel: Kernel) -> None:
    at = flat(kernel, places(build_model(CONFIG, TABLE).model)[0])
    assert called(kernel, at[:-1])[0] < 0


def test_chains_start_where_the_seed_says_and_there_is_a_density(kernel: Kernel) -> None:
    start = kernel.compiled.initial_point_func
    assert np.array_equal(start(1), start(1)) and not np.array_equal(start(1), start(2))
    for seed in range(50):
        assert called(kernel, start(seed))[0] == 0


# Back to the model's parameters


def test_places_become_parameters_as_in_pymc(kernel: Kernel) -> None:
    model = build_model(CONFIG, TABLE).model
    rng = np.random.default_rng(3)
    number = sum(item.size for item in kernel.items)
    drawn = rng.normal(0, 1.5, (2, 3, number))
    found = kernel.parameters(drawn)
    assert {name: draws[0, 0].size for name, draws in found.items()} == free_parameters(CONFIG)
    assert list(found["channel"].values) == ["TV", "Radio"]
    start = 0
    for rv in model.free_RVs:
        dims = model.named_vars_to_dims.get(rv.name) or ()
        shape = [len(model.coords[dim]) for dim in dims]
        size = int(np.prod(shape, dtype=int))
        expected = drawn[..., start : start + size].reshape(2, 3, *shape)
        start += size
        if transform := model.rvs_to_transforms[rv]:
            inside = ptx.as_xtensor(expected, dims=("chain", "draw", *dims))
            expected = transform.backward(inside, *rv.owner.inputs).eval()
        assert found[rv.name].dims == ("chain", "draw", *dims)
        assert found[rv.name].to_numpy() == pytest.approx(expected, rel=1e-12), rv.name
    assert start == number


def test_a_parameter_with_no_way_back_is_refused_by_name() -> None:
    with pm.Model() as model:
        pm.Normal("fine")
        pm.Uniform("share", 0, 1)
    with pytest.raises(NotImplementedError, match="share has the transform interval; known"):
        compile_kernel(model)


# The compile cache


@pytest.mark.slow
def test_what_pytensor_keeps_no_key_of_is_compiled_all_the_same(monkeypatch) -> None:
    monkeypatch.setattr(kernels, "CACHED_SRC_FUNCTIONS", {})
    kept = Path(pytensor.config.base_compiledir)
    files = outer(kept)
    kernel = compile_kernel(build_model(CONFIG, TABLE, None, LONGEST).model)
    assert_same(kernel, CONFIG, TABLE)
    assert outer(kept) == files


PROCESS = """
import json, sys
from hashlib import sha256
sys.path[:0] = ["tests/support"]
from drawn_model import drawn_model
from mmm_demo.fits.ladder import ladder
from mmm_demo.fits.sampler import draw
from mmm_demo.settings.experiment import SamplerConfig

drawn = drawn_model()
sampler = SamplerConfig(draws=200, tune=200, chains=2, seed=4)
made = draw(drawn.config, drawn.table, sampler, ladder(0.9)[0], cores=int(sys.argv[1]))
bits = sha256()
for name, draws in sorted(made.trace["posterior"].data_vars.items()):
    bits.update(name.encode() + draws.to_numpy().tobytes())
print(json.dumps([made.compile_cache, bits.hexdigest()]))
"""


def kept_in(folder: Path) -> set[str]:
    """Return the files of a compile cache."""
    return {path.name for path in (folder / "numba").glob("*")}


def outer(folder: Path) -> set[str]:
    """Return those of the functions that nutpie calls."""
    return {name for name in kept_in(folder) if ".density-" in name or ".expand-" in name}


@pytest.mark.slow
def test_another_process_compiles_nothing_and_draws_the_same_on_any_number_of_cores(
    tmp_path: Path, user_environment: dict[str, str]
) -> None:
    environment = user_environment | {"PYTENSOR_FLAGS": f"base_compiledir={tmp_path}"}
    told, files = [], [kept_in(tmp_path)]
    for cores in ("1", "2", "1"):
        done = subprocess.run(
            [PYTHON, "-c", PROCESS, cores],
            cwd=PROJECT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        told.append(json.loads(done.stdout.splitlines()[-1]))
        files.append(kept_in(tmp_path))
    assert [cache for cache, _ in told] == ["cold", "warm", "warm"]
    assert len({bits for _, bits in told}) == 1
    assert not files[0] and files[1]
    assert files[1] == files[2] == files[3]
    assert {name.split(".")[1].split("-")[0] for name in outer(tmp_path)} == {"density", "expand"}
