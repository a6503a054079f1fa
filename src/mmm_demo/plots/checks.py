"""Plots that hold the model against the observed sales: before the fit, after it, and what is left.

Predictive draws (sample, week) or a table in, a matplotlib Figure out.
"""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from mmm_demo.plots import style as look
from mmm_demo.plots.style import FAULT, INK, MODEL, MUTED, SALES, human


@look.styled
def prior_predictive(weeks: Any, observed: Any, draws: Any, upper_limit: float) -> Figure:
    """Show what the model believes before it sees sales.

    Parameters
    ----------
    weeks, observed : array (week,)
        Dates, and sales per week.
    draws : array (sample, week)
        Prior predictive sales per week.
    upper_limit : float
        Sales per week above which a draw is absurd. The view ends a little above it, and below
        zero at a third of it; what lies outside is counted in the title.
    """
    x, sales = look.as_weeks(weeks), np.asarray(observed, dtype=float)
    bands = look.as_bands(draws, x)
    top = 1.1 * max(upper_limit, sales.max())
    lowest = min(0.0, sales.min(), bands.outer[0].min() if len(bands.draws) else 0.0)
    bottom = max(lowest, -top / 3) - 0.03 * top
    fig = look.new_figure(10, 5, "Prior predictive check: sales before seeing the data")
    ax = look.tidy(fig.subplots())
    near = bands.clipped(bottom - top, 2 * top)  # Agg cannot draw numbers far outside the view
    look.draw_bands(ax, x, near, "median")
    for i, row in enumerate(near.draws[:: max(1, len(near.draws) // 5)][:5]):
        label = "Single draws" if i == 0 else None
        ax.plot(x, row, color=MUTED, linewidth=0.6, alpha=0.7, label=label)
    ax.plot(x, sales, color=INK, linewidth=1.6, label="Observed")
    ax.axhline(upper_limit, color=FAULT, linestyle="--", label=f"Limit {human(upper_limit)}")
    ax.axhline(0, color=INK, linewidth=0.8, label="Zero")
    ax.set_ylim(bottom, top)
    ax.set_title(_prior_note(bands, upper_limit, (bottom, top)))
    look.number_axis(ax.yaxis, SALES)
    look.date_axis(ax, x)
    look.legend(fig, ax, columns=7)
    return fig


def _prior_note(bands: look.Bands, limit: float, view: tuple[float, float]) -> str:
    draws = bands.draws
    if not draws.size:
        return bands.note
    outside = np.mean((draws < 0) | (draws > limit))
    notes = [f"{outside:.1%} of prior values are below zero or above {human(limit)}"]
    if draws.min() < view[0] or draws.max() > view[1]:
        notes.append(f"view clipped: draws reach {human(draws.min())} to {human(draws.max())}")
    return "; ".join(filter(None, [*notes, bands.note]))


@look.styled
def posterior_predictive(weeks: Any, observed: Any, draws: Any, given: str = "") -> Figure:
    """Lay the fitted model's predictions over the observed sales.

    Parameters
    ----------
    weeks, observed : array (week,)
        Dates, and sales per week.
    draws : array (sample, week)
        Posterior predictive sales per week.
    given : str
        What the draws take as known, in words.

    Returns
    -------
    Figure
        One axes; the title counts the weeks inside the 94 % interval.
    """
    x, sales = look.as_weeks(weeks), np.asarray(observed, dtype=float)
    bands = look.as_bands(draws, x)
    fig = look.new_figure(10, 5, "Posterior predictive check: model and observed sales")
    ax = look.tidy(fig.subplots())
    look.draw_bands(ax, x, bands)
    ax.plot(x, sales, color=INK, linewidth=1.3, marker="o", markersize=2.5, label="Observed")
    inside = int(((sales >= bands.outer[0]) & (sales <= bands.outer[1])).sum())
    counted = f"{inside} of {len(x)} weeks ({inside / len(x):.0%}) lie in the 94% interval"
    ax.set_title("; ".join(filter(None, [counted, given, bands.note])))
    look.number_axis(ax.yaxis, SALES)
    look.date_axis(ax, x)
    look.legend(fig, ax)
    return fig


@look.styled
def residuals(weeks: Any, observed: Any, draws: Any, given: str = "") -> Figure:
    """Show what the model leaves unexplained: over time, as a histogram, and by lag.

    Parameters
    ----------
    weeks, observed : array (week,)
        Dates, and sales per week.
    draws : array (sample, week)
        Posterior predictive sales per week.
    given : str
        What the draws take as known, in words.

    Returns
    -------
    Figure
        Three axes: residual (observed - posterior mean), its histogram, its autocorrelation.
    """
    x = look.as_weeks(weeks)
    bands = look.as_bands(draws, x)
    left = np.asarray(observed, dtype=float) - bands.mean
    fig = look.new_figure(11, 6.5, "Residuals: observed minus posterior mean")
    axes = fig.subplot_mosaic([["time", "time"], ["hist", "lag"]], height_ratios=[1.2, 1])
    time, hist, lag = (look.tidy(axes[name]) for name in ("time", "hist", "lag"))
    low, high = bands.outer - bands.mean
    look.band(time, x, low, high)
    time.axhline(0, color=INK, linewidth=0.8)
    time.plot(x, left, color=INK, linewidth=1, marker="o", markersize=2.5, label="Residual")
    out = (left < low) | (left > high)
    time.plot(x[out], left[out], "o", color=FAULT, markersize=5, label=f"Outside ({out.sum()})")
    time.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, borderaxespad=0)
    time.set_title("; ".join(filter(None, [given, bands.note])))
    if not np.any(np.isfinite(left) & (left != 0)):
        time.set_ylim(-1, 1)
    look.number_axis(time.yaxis, f"Residual, {SALES.lower()}")
    look.date_axis(time, x)
    _residual_shape(hist, lag, left[np.isfinite(left)])
    return fig


def _residual_shape(hist: Axes, lag: Axes, left: np.ndarray) -> None:
    if left.size:
        hist.hist(left, bins=min(30, max(5, left.size // 6)), color=MODEL, alpha=0.75)
        hist.axvline(0, color=INK, linewidth=0.8)
        hist.set_title(f"Mean {human(left.mean())}, standard deviation {human(left.std())}")
    look.number_axis(hist.xaxis, f"Residual, {SALES.lower()}")
    hist.set_ylabel("Weeks")
    values = _autocorrelation(left, min(26, left.size // 2))
    lags = np.arange(1, values.size + 1)
    lag.bar(lags, values, width=0.6, color=MODEL, alpha=0.75)
    for edge in (-1.96, 1.96) if left.size else ():
        lag.axhline(edge / np.sqrt(left.size), color=MUTED, linestyle="--", linewidth=0.9)
    lag.axhline(0, color=INK, linewidth=0.8)
    lag.set_title("Autocorrelation; dashed: 95% limits of white noise")
    lag.set(xlabel="Lag in weeks", ylabel="Autocorrelation")
    lag.xaxis.set_major_locator(MaxNLocator(integer=True))


def _autocorrelation(values: np.ndarray, lags: int) -> np.ndarray:
    """Return the autocorrelation of a series (week,) at lags 1..lags; NaN when it is constant."""
    centred = values - values.mean() if values.size else values
    power = float(centred @ centred)
    if power <= 0:
        return np.full(lags, np.nan)
    return np.array([centred[k:] @ centred[:-k] / power for k in range(1, lags + 1)])


@look.styled
def lift_tests(table: pd.DataFrame) -> Figure:
    """Show each lift test beside what the model now says of the same change of spend.

    Parameters
    ----------
    table : pd.DataFrame (test,)
        What `lift_report.compare_with_model` returns; lifts in sales per week.

    Returns
    -------
    Figure
        One axes: per test its own 94 % interval and the model's below, z on the right.
    """
    held, against = int(table["inside"].sum()), int(table["unexpected_sign"].sum())
    title = f"Lift tests: the model's mean lies in the 94% interval of {held} of {len(table)}"
    names = [_test_label(test) for test in table.itertuples()]
    fig, ax = look.row_figure(10, title, names, 0.7, 1.8)
    ax.axvline(0, color=INK, linewidth=0.8)
    for row, test in enumerate(table.itertuples()):
        span = (test.lower_94, test.upper_94)
        color = FAULT if test.unexpected_sign else INK
        look.interval(ax, row - 0.15, span, None, test.delta_y, color, 7)
        model = (test.model_lower_94, test.model_upper_94)
        look.interval(ax, row + 0.15, model, None, test.model_mean, MODEL, 7)
    look.margin_text(ax, [f"{value:+.1f}" for value in table["z"]], "z")
    look.number_axis(ax.xaxis, "Change of weekly sales")
    if against:
        ax.set_title(f"{against} measured sales going against the direction of spend")
    keys = {"Test, 94% interval": INK, "Test, unexpected sign": FAULT, "Model, 94% interval": MODEL}
    shown = {name: color for name, color in keys.items() if against or color != FAULT}
    lines = [Line2D([], [], color=color, marker="o") for color in shown.values()]
    fig.legend(lines, list(shown), loc="outside lower center", ncols=3)
    return fig


def _test_label(test: Any) -> str:
    change = f"{human(test.x)} to {human(test.x + test.delta_x)}"
    return f"{test.channel}, {test.date:%Y-%m-%d}\nspend {change}"
