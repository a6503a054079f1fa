"""Plot of a tracked plan: what was promised and what came, in sales and in spend."""

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from mmm_demo.plots import style as look
from mmm_demo.plots.style import FAULT, INK, MODEL, MUTED, PALE, SALES, SPEND

SHIFT = np.timedelta64(30, "h")  # between what was promised and what the real spend let expect
WIDTH = 0.38
OUTSIDE, INSIDE = "Outside of the promised 94%", "Sales that came"


@look.styled
def promised_and_realised(weeks: pd.DataFrame, channels: pd.DataFrame, title: str) -> Figure:
    """Show sales against the promise week by week, and planned against realised spend.

    Parameters
    ----------
    weeks : pd.DataFrame (week,)
        `PlanOutcome.table`: week, realised, and mean, lower_94, lower_50, upper_50, upper_94 of
        promised_ and expected_; promised_inside_94.
    channels : pd.DataFrame (channel,)
        `PlanOutcome.by_channel`: channel, planned, realised (money), change (a share); NaN where
        it is not known.
    title : str
        What became of the plan.

    Returns
    -------
    Figure
        Axes of the weeks above axes of the channels. A week outside of the promise has a cross.
    """
    fig = look.new_figure(10, 5.4 + 0.55 * len(channels), title)
    top, bottom = fig.subplots(2, 1, height_ratios=(3.4, 0.55 * len(channels) + 0.4))
    _sales(look.tidy(top), weeks)
    _spend(look.tidy(bottom, grid="x"), channels)
    return fig


def _sales(ax: Axes, weeks: pd.DataFrame) -> None:
    x = look.as_weeks(weeks["week"])
    _intervals(ax, x - SHIFT, weeks, "promised", MODEL)
    _intervals(ax, x + SHIFT, weeks, "expected", MUTED)
    inside = weeks["promised_inside_94"].to_numpy(bool)
    realised = weeks["realised"].to_numpy(float)
    point = {"linestyle": "", "markeredgecolor": "white", "zorder": 4}
    ax.plot(x[inside], realised[inside], "D", color=INK, markersize=7, label=INSIDE, **point)
    if not inside.all():
        ax.plot(x[~inside], realised[~inside], "X", color=FAULT, markersize=10, **point)
    look.date_axis(ax, x)
    look.number_axis(ax.yaxis, f"All {SALES.lower()}", ticks=6)
    ax.set_title(f"Thick: 50%, thin: 94% interval; {inside.sum()} of {len(weeks)} weeks inside")
    keys: list[Any] = [
        Line2D([], [], color=MODEL, marker="o", label="Promised, under the planned spend"),
        Line2D([], [], color=MUTED, marker="o", label="Expected, under the real spend"),
        Line2D([], [], color=INK, marker="D", linestyle="", label=INSIDE),
    ]
    if not inside.all():
        keys.append(Line2D([], [], color=FAULT, marker="X", linestyle="", label=OUTSIDE))
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1.08), ncols=2, borderaxespad=0)


def _intervals(ax: Axes, x: np.ndarray, weeks: pd.DataFrame, name: str, color: str) -> None:
    """Draw a vertical interval per week."""
    for level, width in ((94, 2.0), (50, 5.0)):
        ends = (weeks[f"{name}_lower_{level}"], weeks[f"{name}_upper_{level}"])
        ax.vlines(x, *ends, color=color, linewidth=width)
    point = {"markersize": 5, "markeredgecolor": "white", "zorder": 3}
    ax.plot(x, weeks[f"{name}_mean"], "o", color=color, linestyle="", **point)


def _spend(ax: Axes, channels: pd.DataFrame) -> None:
    rows = np.arange(len(channels))
    look.row_axis(ax, channels["channel"])
    planned, realised = (channels[name].to_numpy(float) for name in ("planned", "realised"))
    ax.barh(rows - WIDTH / 2, planned, height=WIDTH, facecolor="white", edgecolor=INK)
    ax.barh(rows + WIDTH / 2, realised, height=WIDTH, facecolor=SPEND, edgecolor=PALE)
    texts = [f"{change:+.0%}" if np.isfinite(change) else "n/a" for change in channels["change"]]
    look.margin_text(ax, texts, "off plan")
    ends = np.concatenate([planned, realised])
    ax.set_xlim(0, 1.04 * (np.nanmax(ends, initial=0.0) or 1.0))
    look.number_axis(ax.xaxis, "Money in the weeks so far")
    keys = [
        Patch(facecolor="white", edgecolor=INK, label="Planned"),
        Patch(facecolor=SPEND, edgecolor=PALE, label="Spent"),
    ]
    ax.legend(handles=keys, loc="lower left", bbox_to_anchor=(0, 1.0), ncols=2, borderaxespad=0)
