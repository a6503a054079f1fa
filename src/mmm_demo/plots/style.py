"""The look of every figure, and the small drawing parts that the plots share.

Nothing here changes a global: the style lives in a context, and a figure never enters pyplot.
No figure is saved. Intervals computed here are equal-tailed.
"""

import itertools
import textwrap
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import wraps
from typing import Any

import matplotlib as mpl
import numpy as np
import seaborn as sns
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.dates import AutoDateLocator, ConciseDateFormatter
from matplotlib.figure import Figure
from matplotlib.ticker import Formatter, FuncFormatter, LogLocator, MaxNLocator, NullFormatter

from mmm_demo.plots.glyphs import LINE, shown, with_glyphs
from mmm_demo.settings.wording import human

PALETTE: list[str] = sns.color_palette("colorblind", 10).as_hex()
MODEL, SPEND, FAULT = PALETTE[0], PALETTE[1], PALETTE[3]
INK, MUTED, PALE = "#22262c", "#5d6570", "#c3c9d1"
CHANNELS = [colour for i, colour in enumerate(PALETTE) if i != 7]  # 7 is grey: kept for the base
BASE = {
    **{"baseline": "#d3d8df", "seasonality": "#8fa3b8", "controls": "#5f7186"},
    "events": "#3d4c5e",
}
MARKERS = "osD^vP<>h"
LOG_SPREAD = 30.0  # values further apart than this factor are shown on a log axis
SALES = "Sales per week"


@dataclass(frozen=True)
class NamedFigure:
    """A figure and its place.

    Attributes
    ----------
    folder
        `diagnostics` or `contributions`.
    subject
        Step of the pipeline, or channel, as files call it.
    name
        Name of the plot.
    """

    folder: str
    subject: str
    name: str
    figure: Figure


@contextmanager
def style() -> Iterator[None]:
    """Apply the house look, and put every rcParam back afterwards."""
    base = {k: v for k, v in sns.axes_style("whitegrid").items() if not k.startswith("font.")}
    house = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": PALE,
        "axes.labelcolor": INK,
        "axes.labelsize": 10,
        "axes.titlecolor": MUTED,
        "axes.titlelocation": "left",
        "axes.titlesize": 9.5,
        "figure.titlesize": 13,
        "figure.titleweight": "bold",
        "font.size": 10,
        "legend.fontsize": 9,
        "legend.frameon": False,
        "text.color": INK,
        "text.parse_math": False,  # a title may speak of $1M and $2M
    }
    with mpl.rc_context(base | house):
        yield


def styled[**P](draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Run a plot function inside the house style."""

    @wraps(draw)
    def inside(*args: P.args, **kwargs: P.kwargs) -> Figure:
        with style():
            return with_glyphs(draw(*args, **kwargs))

    return inside


def new_figure(width: float, height: float, title: str, layout: Any = "constrained") -> Figure:
    """Return an empty figure (inches) with its own Agg canvas, unknown to pyplot."""
    fig = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(fig)
    engine = fig.get_layout_engine()
    if engine is not None:
        engine.set(w_pad=0.1, h_pad=0.08)
    place: dict[str, Any] = {"x": 0.11 / width, "ha": "left", "va": "top"}
    if layout is None:  # a given y would keep constrained layout from making room
        place["y"] = 1 - 0.1 / height
    fig.suptitle(textwrap.fill(title, int(width * 8.5)), **place)
    return fig


def tidy(ax: Axes, *, grid: str = "y", small: bool = False) -> Axes:
    """Fix ticks and grid on the axes, so that a later save outside the style looks the same."""
    ax.grid(False)
    ax.grid(True, axis=grid, color="#e6e9ed", linewidth=0.8)
    ax.tick_params(colors=MUTED, labelcolor=INK, length=3, labelsize=7.5 if small else 9)
    ax.tick_params(which="minor", length=0)
    ax.set_axisbelow(True)
    return ax


def row_figure(
    width: float, title: str, names: Collection[Any], pitch: float, rest: float
) -> tuple[Figure, Axes]:
    """Return a figure of named rows, each ``pitch`` inches high, and its tidy axes."""
    fig = new_figure(width, pitch * len(names) + rest, title)
    ax = tidy(fig.subplots(), grid="x")
    row_axis(ax, names)
    return fig, ax


def panel_figure(
    size: tuple[float, float, float], title: str, count: int, across: int, **shared: bool
) -> tuple[Figure, list[Axes]]:
    """Return a figure of alike panels, ``across`` beside each other, and their tidy axes.

    Parameters
    ----------
    size
        Inches: width of the figure, height of a line of panels, height of the rest.
    title, count, across, shared
        Of the figure; its panels; those in a line; axes that they share (`Figure.subplots`).
    """
    width, pitch, rest = size
    down = -(-count // across)
    fig = new_figure(width, pitch * down + rest, title)
    axes = fig.subplots(down, across, squeeze=False, **shared).ravel()
    for spare in axes[count:]:
        spare.remove()
    return fig, [tidy(ax) for ax in axes[:count]]


class HumanTicks(Formatter):
    """Tick labels such as 1.2M, with just enough digits to tell neighbours apart."""

    def __call__(self, x: float, pos: int | None = None) -> str:
        """Return the label of one tick."""
        return human(x, 4)

    def format_ticks(self, values: Sequence[float]) -> list[str]:
        """Return the labels of one axis."""
        labels: list[str] = []
        for digits in range(3, 10):
            labels = [human(value, digits) for value in values]
            if len(set(labels)) == len(labels):
                break
        return labels


def ticker(count: int) -> MaxNLocator:
    """Return a locator of about ``count`` ticks at round values."""
    return MaxNLocator(count, steps=[1, 2, 2.5, 5, 10])


def number_axis(axis: Axis, label: str, *, percent: bool = False, ticks: int = 7) -> None:
    """Label a linear axis and write its ticks as 350k, or as percentages of a fraction."""
    axis.set_label_text(label)
    axis.set_major_locator(ticker(ticks))
    percents = FuncFormatter(lambda value, _: f"{human(100 * value, 4)}%")
    axis.set_major_formatter(percents if percent else HumanTicks())


def log_axis(axis: Axis, ticks: int = 7, subs: Sequence[float] = (1.0,)) -> None:
    """Write the ticks of an axis that is scaled by logs already; what lies between has none."""
    axis.set_major_locator(LogLocator(subs=subs, numticks=ticks))
    axis.set_major_formatter(HumanTicks())
    axis.set_minor_formatter(NullFormatter())


def date_axis(ax: Axes, weeks: np.ndarray, ticks: tuple[int, int] = (4, 9)) -> None:
    """Write the x axis as dates that do not collide, and let it span the weeks."""
    locator = AutoDateLocator(None, *ticks)
    ax.xaxis.set_major_locator(locator)
    ax.xaxis.set_major_formatter(ConciseDateFormatter(locator))
    pad = max(np.timedelta64(5, "D"), (weeks[-1] - weeks[0]) // 100)
    ax.set_xlim(weeks[0] - pad, weeks[-1] + pad)


def row_axis(ax: Axes, labels: Collection[Any]) -> None:
    """Turn the y axis into named rows, the first on top."""
    ax.set_yticks(range(len(labels)), [shown(label) for label in labels])
    ax.set_ylim(len(labels) - 0.4, -0.6)
    ax.tick_params(axis="y", length=0)


def span_axis(
    ax: Axes, label: str, lower: np.ndarray, point: np.ndarray, upper: np.ndarray, *, percent: bool
) -> None:
    """Scale the x axis to intervals from zero on, or by logs when the points are far apart.

    Fractions stay linear: they share one whole.
    """
    ends = np.concatenate([lower, point, upper])
    ends = ends[np.isfinite(ends)]
    known = point[np.isfinite(point)]
    number_axis(ax.xaxis, label, percent=percent)
    far = False
    if known.size and (lower > 0).all() and not percent:
        far = max(known.max(), ends.max() / 3) > LOG_SPREAD * known.min()
    if far:
        ax.set_xscale("log")
        ax.set_xlim(max(ends.min(), known.min() / 20) / 1.2, ends.max() * 1.2)
        log_axis(ax.xaxis)
        ax.set_xlabel(f"{label}, log scale")
    elif ends.size:
        from_zero(ax, ends)


def from_zero(ax: Axes, ends: np.ndarray) -> None:
    """Let the x axis hold zero and these numbers, with a little room beyond them."""
    low, high = ends.min(initial=0.0), ends.max(initial=0.0)
    pad = 0.04 * (high - low or 1.0)
    ax.set_xlim(low - pad, high + pad)


def margin_text(ax: Axes, texts: Sequence[str], heading: str, **kwargs: Any) -> None:
    """Write one text per row to the right of the axes, under a heading."""
    place = {"transform": ax.get_yaxis_transform(), "va": "center", "fontsize": 9} | kwargs
    for row, text in enumerate(texts):
        ax.text(1.015, row, text, **place)
    ax.text(1.015, 1.0, heading, **place | {"transform": ax.transAxes, "va": "bottom"}, color=MUTED)


@dataclass(frozen=True, eq=False)
class Bands:
    """Weekly mean, median and equal-tailed 50 and 94 % intervals of finite draws."""

    draws: np.ndarray  # (sample, week), finite
    mean: np.ndarray  # (week,)
    median: np.ndarray  # (week,)
    inner: np.ndarray  # (2, week), 50 %
    outer: np.ndarray  # (2, week), 94 %
    note: str  # what was left out, or ""

    def clipped(self, low: float, high: float) -> "Bands":
        """Return the same bands with every value moved into low..high."""
        parts = (self.draws, self.mean, self.median, self.inner, self.outer)
        return Bands(*(np.clip(part, low, high) for part in parts), note=self.note)


def as_weeks(weeks: Any) -> np.ndarray:
    """Return dates as datetime64 (week,)."""
    return np.asarray(weeks, dtype="datetime64[ns]")


def as_bands(draws: Any, weeks: np.ndarray) -> Bands:
    """Summarize draws (sample, week); samples with a value that is not finite are left out."""
    table = np.asarray(draws, dtype=float)
    if table.ndim != 2 or table.shape[1] != len(weeks):
        raise ValueError(f"draws must be (sample, week={len(weeks)}), got shape {table.shape}")
    good = table[np.isfinite(table).all(axis=1)]
    lost = len(table) - len(good)
    note = f"{lost:,} of {len(table):,} draws are not finite and left out" if lost else ""
    if not len(good):
        nothing = np.full((2, len(weeks)), np.nan)
        return Bands(good, nothing[0], nothing[0], nothing, nothing, note or "no draws")
    with np.errstate(over="ignore", invalid="ignore"):  # draws near the largest float
        limits = np.quantile(good, [0.03, 0.25, 0.5, 0.75, 0.97], axis=0)
        mean = good.mean(axis=0)
    return Bands(good, mean, limits[2], limits[[1, 3]], limits[[0, 4]], note)


def band(ax: Axes, x: Any, low: Any, high: Any, level: str = "94") -> None:
    """Shade a 94 or 50 % interval of the model."""
    style = {"color": MODEL, "alpha": {"94": 0.18, "50": 0.32}[level], "linewidth": 0}
    ax.fill_between(x, low, high, label=f"{level}% interval", **style)


def draw_bands(ax: Axes, x: np.ndarray, bands: Bands, center: str = "mean") -> None:
    """Draw both intervals and the mean or the median."""
    band(ax, x, *bands.outer)
    band(ax, x, *bands.inner, level="50")
    line = getattr(bands, center)
    ax.plot(x, line, color=MODEL, linewidth=1.5, label=center.capitalize())


def interval(
    ax: Axes,
    row: float,
    outer: Sequence[float],
    inner: Sequence[float] | None,
    point: float,
    color: str = MODEL,
    size: float = 8.0,
) -> None:
    """Draw one horizontal interval: thin 94 %, thick 50 % (or None) and a point."""
    ax.plot(outer, [row, row], color=color, linewidth=size / 4, solid_capstyle="butt")
    if inner is not None:
        ax.plot(inner, [row, row], color=color, linewidth=size / 1.6, solid_capstyle="butt")
    ax.plot([point], [row], "o", color=color, markersize=size, markeredgecolor="white")


def legend(fig: Figure, ax: Axes, *, columns: int = 4) -> None:
    """Put the legend of one axes under the figure, where it hides nothing."""
    handles, labels = ax.get_legend_handles_labels()
    if max(map(len, labels), default=0) > LINE - 6:
        columns = min(columns, 2)
    fig.legend(handles, labels, loc="outside lower center", ncols=columns)


def part_colors(names: Sequence[Any]) -> list[str]:
    """Give the base its greys, and the rest the palette in order."""
    cycle = itertools.cycle(CHANNELS)
    return [BASE.get(str(name).lower()) or next(cycle) for name in names]
