"""What the tests of the plots draw, and how they read a figure."""

from collections.abc import Callable, Iterator

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mmm_demo.evidence.backtest import score_weeks
from mmm_demo.evidence.recovery import recovery_rows
from mmm_demo.evidence.sensitivity import roas_rows
from mmm_demo.plots import chains as plotting_chains
from mmm_demo.plots import checks, results

CHANNELS = ["TV", "Radio", "Content Marketing"]
WEEKS = pd.date_range("2022-01-03", periods=60, freq="W-MON")
RNG = np.random.default_rng(7)
SALES = 1e6 + 5e4 * RNG.standard_normal(60)
DRAWS = 1e6 + 6e4 * RNG.standard_normal((200, 60))
SPEND = RNG.gamma(2.0, 5e4, 60)


def make_posterior(chains: int = 4, draws: int = 100) -> xr.Dataset:
    dims = ("chain", "draw")
    rng = np.random.default_rng(1)
    return xr.Dataset(
        {
            "intercept_contribution": (dims, rng.normal(size=(chains, draws))),
            "adstock_alpha": ((*dims, "channel"), rng.beta(2, 4, (chains, draws, 3))),
            "gamma_control": ((*dims, "control"), rng.normal(size=(chains, draws, 1))),
            "y_sigma": (dims, rng.gamma(2, 1, (chains, draws))),
        },
        {"channel": CHANNELS, "control": ["price"]},
    )


def make_intervals(**extra: object) -> pd.DataFrame:
    point = np.array([1.23, 0.8, 2.5])
    limits = {"lower_50": 0.9, "upper_50": 1.1, "lower_94": 0.6, "upper_94": 1.7}
    columns = {name: point * factor for name, factor in limits.items()}
    return pd.DataFrame({"channel": CHANNELS, "mean": point, "median": point, **columns, **extra})


def make_curve(x: str) -> pd.DataFrame:
    grid = np.arange(8) if x == "lag" else np.linspace(0, 1.5 * SPEND.max(), 50)
    mean = 0.5**grid if x == "lag" else 3e5 * np.tanh(grid / 1e5)
    limits = {"mean": mean, "lower_94": 0.8 * mean, "upper_94": 1.2 * mean}
    return pd.DataFrame({"channel": "TV", x: grid, **limits})


def make_path() -> pd.DataFrame:
    mean = 6e5 + 1e5 * np.sin(np.arange(60) / 9)
    return pd.DataFrame({"mean": mean, "lower_94": 0.9 * mean, "upper_94": 1.1 * mean})


def make_parts() -> pd.DataFrame:
    season = 1e5 * np.sin(np.arange(60) / 5)
    return pd.DataFrame(
        {"baseline": 6e5, "seasonality": season, "controls": -2e4, "TV": 2e5, "Radio": 1e5},
        index=WEEKS,
    )


def make_truth() -> pd.DataFrame:
    returns = make_intervals(quantity="ROAS", truth=[1.0, 9.0, np.nan])
    shares = make_intervals(quantity="contribution share", truth=[1.0, 0.9, 2.0])
    return pd.concat([returns, shares], ignore_index=True)


def make_lift_tests() -> pd.DataFrame:
    lift, model = np.array([8e5, -3e5, -1e5]), np.array([6e5, -4e5, 4e4])
    sigma = np.array([2e5, 1e5, 5e4])
    return pd.DataFrame(
        {
            "channel": CHANNELS,
            "x": [2e5, 3e4, 2e4],
            "delta_x": [1e5, -3e4, 1e4],
            "delta_y": lift,
            "sigma": sigma,
            "date": WEEKS[[5, 20, 50]],
            "lower_94": lift - 1.88 * sigma,
            "upper_94": lift + 1.88 * sigma,
            "model_mean": model,
            "model_lower_94": model - 1e4,
            "model_upper_94": model + 1e4,
            "z": (lift - model) / sigma,
            "inside": [True, True, False],
            "unexpected_sign": [False, False, True],
        }
    )


def energies(values: np.ndarray) -> xr.Dataset:
    return xr.Dataset({"energy": (("chain", "draw"), values)})


CASES: dict[str, Callable[[], Figure]] = {
    "prior_predictive": lambda: checks.prior_predictive(WEEKS, SALES, DRAWS, 5e6),
    "trace": lambda: plotting_chains.trace(make_posterior()),
    "rank": lambda: plotting_chains.rank(make_posterior()),
    "forest": lambda: plotting_chains.forest(make_posterior()),
    "energy": lambda: plotting_chains.energy(energies(RNG.normal(size=(4, 100)))),
    "posterior_predictive": lambda: checks.posterior_predictive(WEEKS, SALES, DRAWS),
    "residuals": lambda: checks.residuals(WEEKS, SALES, DRAWS),
    "lift_tests": lambda: checks.lift_tests(make_lift_tests()),
    "contributions_over_time": lambda: results.contributions_over_time(WEEKS, make_parts(), SALES),
    "channel_contribution": lambda: results.channel_contribution(WEEKS, "TV", DRAWS, SPEND),
    "channel_shares": lambda: results.channel_shares(make_intervals(spend_share=[0.5, 0.3, 0.2])),
    "roas": lambda: results.roas(make_intervals()),
    "baseline": lambda: results.baseline(WEEKS, make_path()),
    "events": lambda: results.events(make_intervals().rename(columns={"channel": "event"})),
    "adstock_curve": lambda: results.adstock_curve(make_curve("lag")),
    "saturation_curve": lambda: results.saturation_curve(make_curve("spend"), SPEND),
    "truth_comparison": lambda: results.truth_comparison(make_truth()),
}


def legend_texts(fig: Figure) -> list[str]:
    boxes = [*fig.legends, *(ax.get_legend() for ax in fig.axes if ax.get_legend())]
    return [text.get_text() for box in boxes for text in box.get_texts()]


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def title(fig: Figure) -> str:
    return fig.get_suptitle().replace("\n", " ")


def subtitle(fig: Figure) -> str:
    return fig.axes[0].get_title(loc="left")


def rows(ax: Axes) -> list[str]:
    return [label.get_text() for label in ax.get_yticklabels()]


def line(ax: Axes, label: str) -> np.ndarray:
    (found,) = [item for item in ax.lines if item.get_label() == label]
    return np.asarray(found.get_ydata())


@pytest.fixture(autouse=True)
def no_global_changes() -> Iterator[None]:
    figures, params = plt.get_fignums(), dict(mpl.rcParams)
    yield
    assert plt.get_fignums() == figures
    assert dict(mpl.rcParams) == params


CHANNELS = ["TV", "Radio", "Search & Social"]


def make_forecast(bad_fold: int | None = None, folds: int = 4) -> pd.DataFrame:
    rng = np.random.default_rng(3)
    sales = 1e6 + 1e5 * rng.normal(size=80 + 6 * folds)
    dates = pd.date_range("2024-01-01", periods=len(sales), freq="W-MON")
    tables = []
    for fold in range(1, folds + 1):
        start = 80 + 6 * (fold - 1)
        draws = sales[start : start + 6] + 5e4 * rng.normal(size=(200, 6))
        week = score_weeks(sales[start : start + 6], draws, sales[:start])
        week = week.assign(fold=fold, week=dates[start : start + 6], converged=fold != bad_fold)
        tables.append(week)
    return pd.concat(tables, ignore_index=True)


def make_recovery(bad: int | None = None, replicates: int = 3) -> pd.DataFrame:
    """Return replicates of which the last misses Radio, for both quantities."""
    noise = np.random.default_rng(5).normal(size=(400, 3))
    tables = []
    for quantity, size in (("contribution", 1e6), ("ROAS", 1.0)):
        for replicate in range(1, replicates + 1):
            truth = pd.Series([2.0, 3.0, 1.0], CHANNELS) * size
            draws = truth.to_numpy() + 0.1 * size * noise
            if replicate == replicates:
                draws[:, 1] += size
            table = recovery_rows(replicate, truth, draws)
            tables.append(table.assign(quantity=quantity, converged=replicate != bad))
    return pd.concat(tables, ignore_index=True)


def make_sensitivity(bad: str = "") -> pd.DataFrame:
    draws = np.random.default_rng(9).normal([2.0, 3.0, 1.0], 0.1, size=(300, 3))
    return pd.concat(
        [
            roas_rows(variant, CHANNELS, draws + 0.05 * place).assign(
                planned=[3.0, 2.0, 1.0], converged=variant != bad
            )
            for place, variant in enumerate(["as fitted", "lag of 4 weeks", "no seasonality"])
        ],
        ignore_index=True,
    )
