"""Weekly tables of many kinds, each with a model, to see which of them the sampler manages.

Own kinds have a recipe of their own and a table for each seed; every healthy one has a posterior
that a careful sampler explores well. Those meant to fail have one that no sampler of ours does:
a gate that lets them pass is no gate.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from mmm_demo.forms.registry import find
from mmm_demo.settings.data import DataConfig
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.settings.experiment_file import load_experiment
from mmm_demo.sources.simulate import FIRST_WEEK, MEAN_SALES, adstock
from mmm_demo.tables.contract import validate_table
from mmm_demo.tables.lift import validate_lift_tests
from mmm_demo.tables.table_file import read_csv

PROJECT = Path(__file__).resolve().parent.parent
OPEN_DATA = PROJECT.parent / "shared" / "data" / "pymc_marketing"
MIN_SALES = 0.1 * MEAN_SALES
LAUNCHED = 8  # weeks ago
LIFT_FACTOR = 3.0  # what tests of `lift_conflict` say, in times of what history does
RNG = np.random.Generator


@dataclass(frozen=True, eq=False)
class ZooTable:
    """A clean weekly table with the model to fit.

    Attributes
    ----------
    kind
        One of `KINDS`.
    model, table, lift_tests
        As `fits.sampler.draw` takes them.
    meant_to_fail
        Whether the convergence gate must refuse the fit.
    """

    kind: str
    model: ModelConfig
    table: pd.DataFrame
    lift_tests: pd.DataFrame | None = None
    meant_to_fail: bool = False


@dataclass(frozen=True, eq=False)
class _Recipe:
    """What a table is made of; by channel where it says spend, and in shares of mean sales.

    Attributes
    ----------
    spend, controls
        Columns by name; shape (week, column).
    share, alpha, lam
        Sales that a channel brings, its retention rate and its saturation rate; drawn by default.
    effects
        Of one unit of each control.
    other, noise
        Sales besides, shape (week,), and the noise's scale.
    model
        Settings of the model that differ from the defaults.
    """

    spend: pd.DataFrame
    share: np.ndarray | None = None
    alpha: np.ndarray | None = None
    lam: np.ndarray | None = None
    controls: pd.DataFrame | None = None
    effects: np.ndarray | tuple[float, ...] = ()
    other: np.ndarray | float = 0.0
    noise: float = 0.05
    model: dict | None = None


def make_table(kind: str, seed: int) -> ZooTable:
    """Make the table of a kind; its seed draws everything in it.

    Raises
    ------
    ValueError
        When the kind is unknown.
    FileNotFoundError
        When an open table is not in the folder `shared` beside the project.
    """
    if kind in OPEN:
        return _open_table(kind)
    if kind not in _RECIPES:
        raise ValueError(f"unknown kind {kind!r}; choose one of {', '.join(KINDS)}")
    rng = np.random.default_rng([seed, list(_RECIPES).index(kind)])
    return _cooked(kind, _RECIPES[kind](rng), rng)


def _cooked(kind: str, recipe: _Recipe, rng: RNG) -> ZooTable:
    spend, count, weeks = recipe.spend, recipe.spend.shape[1], len(recipe.spend)
    controls = pd.DataFrame(index=spend.index) if recipe.controls is None else recipe.controls
    model = ModelConfig(
        channel_columns=tuple(spend), control_columns=tuple(controls), **recipe.model or {}
    )
    alpha = rng.uniform(0.1, 0.6, count) if recipe.alpha is None else recipe.alpha
    lam = rng.uniform(1.0, 4.0, count) if recipe.lam is None else recipe.lam
    share = rng.uniform(0.3, 0.5) * rng.dirichlet([4.0] * count)
    share = share if recipe.share is None else recipe.share
    curve = find("saturation", model.saturation).curve
    weights = find("adstock", model.adstock).shares(model.adstock_max_lag, alpha=alpha)
    response = curve(lam * adstock(spend / spend.max(), weights)[:weeks])
    worth = MEAN_SALES * share / response.mean(axis=0)
    rest = recipe.other + controls.to_numpy() @ np.array(recipe.effects, dtype=float)
    rest = rest - np.mean(rest) + 1 - share.sum() + recipe.noise * rng.normal(size=weeks)
    sales = np.maximum(response @ worth + MEAN_SALES * rest, MIN_SALES).round(2)
    dates = pd.date_range(FIRST_WEEK, periods=weeks, freq="7D")
    raw = pd.DataFrame({"Week": dates, "Sales": sales}).join(spend.round(2)).join(controls)
    table, _ = validate_table(raw, model, DataConfig(), kind)
    tests = None
    if kind == "lift_conflict":
        usual = spend[spend > 0].median().round(2)
        brought = worth * curve(lam * (usual / spend.max()).to_numpy())
        raw_tests = _lift_tests(usual, brought, rng).assign(date=dates[-13])
        tests, _ = validate_lift_tests(raw_tests, model, table, kind)
    return ZooTable(kind, model, table, tests, kind in FAIL)


def _lift_tests(usual: pd.Series, brought: np.ndarray, rng: RNG) -> pd.DataFrame:
    """Return tests of two channels, each switched on, that say far more than history does."""
    rows = []
    for place in (0, 1):
        level, lift = usual.iloc[place], LIFT_FACTOR * brought[place]
        measured = lift * rng.normal(1.0, 0.1)
        rows.append((usual.index[place], 0.0, level, measured, 0.1 * lift))
    return pd.DataFrame(rows, columns=["channel", "x", "delta_x", "delta_y", "sigma"])


def _open_table(kind: str) -> ZooTable:
    path = OPEN_DATA / f"{kind}.csv"
    if not path.is_file():
        raise FileNotFoundError(
            f"no open table at {path}; put PyMC-Marketing's {kind}.csv there, or name other kinds"
        )
    experiment = load_experiment(PROJECT / "experiments" / f"{kind}.yaml")
    table, _ = validate_table(read_csv(path, ".", ","), experiment.model, experiment.data, kind)
    return ZooTable(kind, experiment.model, table)


# What spend looks like


def _named(levels: np.ndarray, mean: float = 40_000.0) -> pd.DataFrame:
    """Return spend of channels with a mean; levels of any scale, shape (week, channel)."""
    names = [f"channel_{place + 1}" for place in range(levels.shape[1])]
    return pd.DataFrame(mean * levels / levels.mean(axis=0), columns=names).round(2)


def _always_on(rng: RNG, weeks: int, count: int, spread: float = 0.3) -> np.ndarray:
    """Draw spend that never pauses; shape (week, channel)."""
    return np.exp(spread * rng.normal(size=(weeks, count)))


def _flighted(rng: RNG, weeks: int, count: int) -> np.ndarray:
    """Draw spend that is on for three to eight weeks and off for as long."""
    levels = np.zeros((weeks, count))
    for channel in range(count):
        week, on = 0, rng.random() < 0.5
        while week < weeks:
            length = int(rng.integers(3, 9))
            levels[week : week + length, channel] = on
            week, on = week + length, not on
    return levels * rng.gamma(6.0, 1 / 6, (weeks, count))


def _mixed(rng: RNG, weeks: int, flighted: int, always_on: int) -> np.ndarray:
    return np.hstack([_flighted(rng, weeks, flighted), _always_on(rng, weeks, always_on)])


def _wave(weeks: int, shift: float) -> np.ndarray:
    return np.sin(2 * np.pi * (np.arange(weeks) / 52.18 + shift))


# Kinds


def _launch(rng: RNG) -> _Recipe:
    levels = _mixed(rng, 156, 2, 2)
    levels[:-LAUNCHED, -1] = 0.0
    share = np.array([*rng.uniform(0.06, 0.14, 3), rng.uniform(0.05, 0.1) * LAUNCHED / 156])
    return _Recipe(_named(levels), share=share)


def _correlated_pairs(rng: RNG) -> _Recipe:
    leaders = _always_on(rng, 156, 3, 0.5)
    followers = leaders * _always_on(rng, 156, 3, 0.15)
    return _Recipe(_named(np.hstack([leaders, followers])))


def _strong_season(rng: RNG) -> _Recipe:
    season = _wave(156, rng.random())
    levels = _mixed(rng, 156, 2, 2) * np.exp(0.5 * season)[:, None]
    return _Recipe(_named(levels), other=0.25 * season + 0.1 * _wave(156, rng.random()) ** 2)


def _step(rng: RNG) -> _Recipe:
    after = np.arange(156) >= rng.integers(52, 104)
    return _Recipe(_named(_mixed(rng, 156, 2, 2)), other=rng.uniform(0.2, 0.3) * after)


def _twins(rng: RNG) -> _Recipe:
    """Let spend be alike in pairs, one at work at once and one late: who is who is open."""
    leaders = _flighted(rng, 156, 3)
    followers = leaders * rng.normal(1.0, 0.005, leaders.shape)
    return _Recipe(
        _named(np.hstack([leaders, followers])),
        share=np.full(6, 0.1),
        alpha=np.array([0.05] * 3 + [0.85] * 3),
        lam=np.full(6, 3.0),
        noise=0.01,
    )


def _either_or(rng: RNG) -> _Recipe:
    """Let controls be alike in pairs, when the prior says that most do nothing."""
    controls = pd.DataFrame(np.repeat(rng.normal(size=(156, 4)), 2, axis=1)).add_prefix("control_")
    controls += rng.normal(0.0, 0.005, controls.shape)
    sparse = {"distribution": "StudentT", "nu": 1.0, "mu": 0.0, "sigma": 1e-4, "rationale": "zoo"}
    return _Recipe(
        _named(_flighted(rng, 156, 2)),
        controls=controls,
        effects=(0.05, 0.0) * 4,
        noise=0.01,
        model={"priors": {"gamma_control": sparse}},
    )


def _funnel(rng: RNG) -> _Recipe:
    """Give more effects than weeks: noise can be anything down to none, ever narrower."""
    weeks, count = 48, 34
    controls = pd.DataFrame(rng.normal(size=(weeks, count))).add_prefix("control_")
    wide = {"distribution": "Normal", "mu": 0.0, "sigma": 0.5, "rationale": "zoo"}
    return _Recipe(
        _named(_flighted(rng, weeks, 2)),
        controls=controls,
        effects=rng.normal(0.0, 0.03, count),
        model={
            "adstock_max_lag": 1,
            "yearly_seasonality": 10,
            "priors": {"gamma_control": wide},
        },
    )


_HEALTHY: dict[str, Callable[[RNG], _Recipe]] = {
    "always_on": lambda rng: _Recipe(_named(_always_on(rng, 156, 3))),
    "impressions": lambda rng: _Recipe(_named(_always_on(rng, 156, 5, 0.4), 1e7), noise=0.04),
    "many_controls": lambda rng: _Recipe(
        _named(_mixed(rng, 104, 4, 3)),
        controls=pd.DataFrame(rng.normal(size=(104, 6))).add_prefix("control_"),
        effects=rng.uniform(-0.06, 0.06, 6),
    ),
    "nearly_linear": lambda rng: _Recipe(
        _named(_mixed(rng, 156, 2, 2)), lam=rng.uniform(0.2, 0.5, 4)
    ),
    "no_effect": lambda rng: _Recipe(
        _named(_mixed(rng, 156, 2, 2)), share=np.array([0.001, *rng.uniform(0.06, 0.14, 3)])
    ),
    "fifteen_channels": lambda rng: _Recipe(_named(_mixed(rng, 156, 8, 7))),
    "one_year": lambda rng: _Recipe(_named(_mixed(rng, 52, 2, 1)), model={"yearly_seasonality": 1}),
    "six_years": lambda rng: _Recipe(
        _named(_mixed(rng, 300, 2, 3)),
        controls=pd.DataFrame({"Trend": np.linspace(0.0, 1.0, 300)}),
        effects=(0.2,),
        other=0.08 * _wave(300, 0.1),
    ),
    "launch": _launch,
    "correlated_pairs": _correlated_pairs,
    "strong_season": _strong_season,
    "step": _step,
    "lift_conflict": lambda rng: _Recipe(
        _named(_mixed(rng, 156, 2, 2)), share=np.array([0.05, 0.05, 0.10, 0.10])
    ),
    "s_shape": lambda rng: _Recipe(
        _named(_mixed(rng, 156, 2, 2)),
        lam=rng.uniform(1.5, 4.0, 4),
        model={"saturation": "s_shaped"},
    ),
    "heavy_noise": lambda rng: _Recipe(_named(_mixed(rng, 104, 2, 2)), noise=0.2),
    "long_carryover": lambda rng: _Recipe(
        _named(_flighted(rng, 156, 4)),
        alpha=rng.uniform(0.7, 0.9, 4),
        model={"adstock_max_lag": 12},
    ),
}
_FAIL = {"twins": _twins, "either_or": _either_or, "funnel": _funnel}
_RECIPES = _HEALTHY | _FAIL
FAIL, OPEN = tuple(_FAIL), ("mmm_example", "mmm_roas_data")
# Never looked at while the sampler's settings are chosen.
REPORT = ("no_effect", "six_years", "launch", "correlated_pairs", "lift_conflict", "s_shape")
TUNE = tuple(kind for kind in _HEALTHY if kind not in REPORT)
KINDS = (*_RECIPES, *OPEN)
