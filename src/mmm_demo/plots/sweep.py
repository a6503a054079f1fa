"""Plots of a sweep: its history, which settings mattered, and each setting. None is saved."""

import math
import textwrap
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from mmm_demo.plots import style as look
from mmm_demo.plots.style import FAULT, MODEL, MUTED, SPEND
from mmm_demo.settings.sweep import in_words
from mmm_demo.settings.wording import number_of

OBJECTIVES = {
    "crps": "mean backtest CRPS (sales units, less is better)",
    "elpd": "ELPD (leave-one-out, more is better)",
}
# Trials without a value: words, marker, colour, and height as a share of the axes.
NO_VALUE = {"failed": ("failed", "x", FAULT, 0.035), "pruned": ("ended early", "v", MUTED, 0.09)}
STRIP, SHADE = 0.13, "#f3f5f7"  # share of the axes that these have for themselves, and its colour
NONE = "no trial passed"
ACROSS, PANEL = 4, (3.1, 2.9)  # panels beside each other, and their size in inches
APART = 0.12  # of the axis: numbers further apart than this get a tick each
LINE, LINES = 14, 2  # characters and lines of the name of a category


@look.styled
def history_figure(trials: pd.DataFrame, objective: str) -> Figure:
    """Show the value of each trial in the order in which they began, and the best so far.

    Parameters
    ----------
    trials : pd.DataFrame (trial,)
        `Search.table`: number, verdict (passed, failed or pruned), value (NaN unless passed).
    objective
        `crps` or `elpd`.

    Returns
    -------
    Figure
        One axes; trials without a value are marked at its bottom edge.
    """
    fig = look.new_figure(9, 4.9, _title(trials, objective))
    ax = look.tidy(fig.subplots())
    passed, best = _passed(trials), _best(trials, objective)
    if best is not None:
        so_far = passed["value"].cummin() if objective == "crps" else passed["value"].cummax()
        # The line goes on to the last trial, which may not have passed.
        x, y = [*passed["number"], trials["number"].max()], [*so_far, so_far.iloc[-1]]
        ax.plot(x, y, color=SPEND, linewidth=1.5, drawstyle="steps-post", zorder=2)
    _draw(ax, trials, trials["number"], objective)
    last = trials["number"].max() if len(trials) else 0
    ax.set_xlim(-0.02 * last - 0.5, 1.02 * last + 0.5)
    look.number_axis(ax.xaxis, "trial", ticks=10)
    ax.xaxis.get_major_locator().set_params(integer=True)
    if best is None:
        _say(ax, NONE)
    _value_axis(ax, trials, objective)
    line = Line2D([], [], color=SPEND, label="best so far")
    _keys(fig, trials, [line] if best is not None else [])
    return fig


@look.styled
def importance_figure(importances: Mapping[str, float]) -> Figure:
    """Show how much each setting mattered, the one that did most on top.

    Parameters
    ----------
    importances
        Share of each setting (`Search.importances`); may be empty.

    Returns
    -------
    Figure
        One axes, a bar per setting.
    """
    shares = sorted(importances.items(), key=lambda item: -item[1])
    names = [textwrap.shorten(setting_name(name), 44, placeholder="...") for name, _ in shares]
    fig = look.new_figure(8, 1.5 + 0.34 * max(len(shares), 2), "Which settings mattered")
    ax = look.tidy(fig.subplots(), grid="x")
    values = np.array([value for _, value in shares])
    ax.barh(range(len(shares)), values, height=0.62, color=MODEL)
    look.row_axis(ax, names)
    look.number_axis(ax.xaxis, "importance (share)", percent=True)
    ax.set_xlim(0, 1.04 * values.max() if values.any() else 1)
    look.margin_text(ax, [f"{value:.0%}" for value in values], "")
    if shares:
        ax.set_title("How far a setting's values in the best trials differ from those in all")
    else:
        _say(ax, "too few trials passed to tell")
        ax.set_yticks([])
        ax.set_ylim(0, 1)
    return fig


@look.styled
def slice_figure(trials: pd.DataFrame, settings: Sequence[str], objective: str) -> Figure:
    """Show the value of each trial by the value of each setting.

    Parameters
    ----------
    trials : pd.DataFrame (trial,)
        As `history_figure`, with a column per setting.
    settings
        Columns to show, a panel each.
    objective
        `crps` or `elpd`.

    Returns
    -------
    Figure
        One axes per setting, with one value axis. Trials without a value are marked at the bottom
        edge, with their number where several have the same value of the setting.
    """
    count = len(settings)
    across = count if count <= 3 else min(ACROSS, math.ceil(count / 2))
    size = (max(PANEL[0] * across + 0.7, 5.6), PANEL[1], 1.2)
    fig, axes = look.panel_figure(size, _title(trials, objective), count, across, sharey=True)
    for ax, name in zip(axes, settings, strict=True):
        _panel(ax, trials, name, objective)
    for ax in axes[::across]:
        _value_axis(ax, trials, objective)
        ax.set_ylabel("")
    fig.supylabel(OBJECTIVES[objective].replace(" (", "\n("), fontsize=10)
    _keys(fig, trials, [])
    return fig


def setting_name(setting: str) -> str:
    """Return a setting without its section, as trials name it."""
    return in_words({setting: ""}).strip()


def _passed(trials: pd.DataFrame) -> pd.DataFrame:
    """Return the trials that count; a value that is not finite is none."""
    finite = np.isfinite(trials["value"].to_numpy(float))
    return trials[finite & (trials["verdict"] == "passed")].sort_values("number")


def _best(trials: pd.DataFrame, objective: str) -> pd.Series | None:
    passed = _passed(trials)
    if passed.empty:
        return None
    values = passed["value"].astype(float)
    return passed.loc[values.idxmin() if objective == "crps" else values.idxmax()]


def _without_value(trials: pd.DataFrame) -> dict[str, pd.DataFrame]:
    """Return the trials without a value by verdict; only what ended early is not a failure."""
    rest = trials.drop(_passed(trials).index)
    pruned = rest["verdict"] == "pruned"
    return {"failed": rest[~pruned], "pruned": rest[pruned]}


def _title(trials: pd.DataFrame, objective: str) -> str:
    rest = _without_value(trials)
    parts = [f"{len(_passed(trials))} passed"]
    parts += [f"{len(rows)} {NO_VALUE[verdict][0]}" for verdict, rows in rest.items() if len(rows)]
    best = _best(trials, objective)
    if best is not None:
        value = f"{objective.upper()} {look.human(best['value'], 4)}"
        parts.append(f"best {value} (trial {best['number']})")
    return f"{number_of(len(trials), 'trial')}: {', '.join(parts)}"


def _draw(ax: Axes, trials: pd.DataFrame, x: pd.Series, objective: str) -> None:
    """Draw trials at their x, which is finite; the best one on top."""
    passed, best = _passed(trials), _best(trials, objective)
    point = {"linestyle": "", "markeredgecolor": "white", "markeredgewidth": 0.7}
    ax.plot(x[passed.index], passed["value"], "o", color=MODEL, markersize=6, alpha=0.75, **point)
    if best is not None:
        at = ([x[best.name]], [best["value"]])
        ax.plot(*at, "*", color=SPEND, markersize=15, zorder=4, **point)
    if len(passed) < len(trials):
        whole = {"transform": ax.transAxes, "color": SHADE, "linewidth": 0, "zorder": 0}
        ax.fill_between([0, 1], 0, STRIP, **whole)
    for verdict, rows in _without_value(trials).items():
        _, marker, color, height = NO_VALUE[verdict]
        place = {"transform": ax.get_xaxis_transform(), "linestyle": ""}
        at = x[rows.index]
        ax.plot(at, [height] * len(rows), marker, color=color, markersize=5.5, **place)


def _value_axis(ax: Axes, trials: pd.DataFrame, objective: str) -> None:
    """Scale the y axis to the values, and keep a strip below them free for trials without one."""
    look.number_axis(ax.yaxis, OBJECTIVES[objective])
    values = _passed(trials)["value"]
    if values.empty:
        ax.yaxis.set_major_locator(NullLocator())
        ax.set_ylim(0, 1)
        return
    low, high = float(values.min()), float(values.max())
    pad = 0.06 * (high - low) or 0.01 * abs(high) or 1.0
    low, high = low - pad, high + pad
    ticks = look.ticker(6).tick_values(low, high)
    # None in the strip: what is marked there has no value to be read off.
    ax.yaxis.set_major_locator(FixedLocator(ticks[(low <= ticks) & (ticks <= high)]))
    strip = (high - low) * STRIP / (1 - STRIP) if len(values) < len(trials) else 0.0
    ax.set_ylim(low - strip, high)


def _panel(ax: Axes, trials: pd.DataFrame, name: str, objective: str) -> None:
    """Draw one setting; a trial that has no value of it is not drawn."""
    known = trials[trials[name].notna()]
    x = _number_panel(ax, known[name]) if _is_number(known[name]) else _words_panel(ax, known[name])
    _draw(ax, known, x, objective)
    for verdict, rows in _without_value(known).items():
        _, _, color, height = NO_VALUE[verdict]
        for at, count in x[rows.index].value_counts().items():
            if count > 1:
                place = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
                on = {"xycoords": ax.get_xaxis_transform(), "fontsize": 7.5, "color": color}
                ax.annotate(str(count), (float(at), height), **place, **on)
    if _passed(known).empty:
        _say(ax, NONE)
    ax.set_title("\n".join(textwrap.wrap(setting_name(name), 34)))


def _is_number(values: pd.Series) -> bool:
    return len(values) > 0 and all(
        isinstance(value, int | float | np.number) and not isinstance(value, bool | np.bool_)
        for value in values
    )


def _number_panel(ax: Axes, values: pd.Series) -> pd.Series:
    x = values.astype(float)
    low, high = x.min(), x.max()
    different = np.unique(x)
    logs = bool(low > 0 and high > look.LOG_SPREAD * low)
    if logs:
        ax.set_xscale("log")
        ax.set_xlim(low / 1.25, high * 1.25)
        ax.xaxis.set_major_formatter(look.HumanTicks())
        ax.xaxis.set_minor_locator(NullLocator())
    else:
        pad = 0.07 * (high - low) or 0.5
        ax.set_xlim(low - pad, high + pad)
        look.number_axis(ax.xaxis, "", ticks=5)
        ax.xaxis.get_major_locator().set_params(integer=bool((x % 1 == 0).all()))
    places = np.log(different) if logs else different
    if len(places) > 1 and np.diff(places).min() > APART * np.ptp(places):
        ax.xaxis.set_major_locator(FixedLocator(different))
    return x


def _words_panel(ax: Axes, values: pd.Series) -> pd.Series:
    # As text: a list may mix words, numbers and switches.
    labels = values.map(str)
    names = sorted(labels.unique())
    shown = [_label(name) for name in names]
    turned = max((len(name) for name in names), default=0) * len(names) > 38
    style = {"rotation": 35, "ha": "right", "rotation_mode": "anchor"} if turned else {}
    ax.set_xticks(range(len(names)), shown, **style)
    ax.set_xlim(-0.6, max(len(names), 1) - 0.4)
    return labels.map({name: float(place) for place, name in enumerate(names)}).astype(float)


def _label(name: str) -> str:
    """Return a category's name on lines of its own; the middle of a long one is left out."""
    most = LINE * LINES
    if len(name) > most:
        half = (most - 3) // 2
        name = f"{name[:half]}...{name[-half:]}"
    return textwrap.fill(name, LINE)


def _say(ax: Axes, text: str) -> None:
    ax.text(0.5, 0.55, text, transform=ax.transAxes, ha="center", color=MUTED, fontsize=10)


def _keys(fig: Figure, trials: pd.DataFrame, keys: list[Line2D]) -> None:
    """Write the legend of what is there under the figure."""
    dot = {"linestyle": "", "markeredgecolor": "white"}
    if len(_passed(trials)):
        keys.insert(0, Line2D([], [], marker="*", color=SPEND, markersize=13, label="best", **dot))
        keys.insert(0, Line2D([], [], marker="o", color=MODEL, label="passed", **dot))
    for verdict, rows in _without_value(trials).items():
        if len(rows):
            words, marker, color, _ = NO_VALUE[verdict]
            look_of = {"marker": marker, "color": color, "linestyle": ""}
            keys.append(Line2D([], [], label=f"{words}: no value", **look_of))
    if keys:
        fig.legend(handles=keys, loc="outside lower center", ncols=5)
