"""Plots of two models side by side."""

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from mmm_demo.plots import style as look
from mmm_demo.plots.style import MODEL, SPEND
from mmm_demo.settings.wording import ROAS_UNIT

SIDES = (("a", -0.17, MODEL), ("b", 0.17, SPEND))


@look.styled
def roas_of_both(table: pd.DataFrame) -> Figure:
    """Set the ROAS of two models beside each other.

    Parameters
    ----------
    table : pd.DataFrame (channel,)
        Columns channel, median_a, lower_94_a, upper_94_a, the same of b, and overlap; NaN where a
        model does not have the channel.

    Returns
    -------
    Figure
        One axes, two intervals per channel, overlap of the posteriors on the right.
    """
    title = "Return on ad spend (ROAS) by channel, A and B"
    fig, ax = look.row_figure(9, title, table["channel"], 0.7, 1.8)
    for name, shift, color in SIDES:
        ends = table[[f"lower_94_{name}", f"upper_94_{name}"]].to_numpy(float)
        for row, (outer, point) in enumerate(zip(ends, table[f"median_{name}"], strict=True)):
            look.interval(ax, row + shift, outer, None, point, color)
    texts = ["n/a" if np.isnan(value) else f"{value:.0%}" for value in table["overlap"]]
    look.margin_text(ax, texts, "overlap")
    spans = (
        table[[f"{name}_a", f"{name}_b"]].to_numpy(float).ravel()
        for name in ("lower_94", "median", "upper_94")
    )
    # An interval that is not there is no reason for a linear axis.
    lower, point, upper = (span[np.isfinite(span)] for span in spans)
    look.span_axis(ax, ROAS_UNIT.capitalize(), lower, point, upper, percent=False)
    ax.set_title("Dot: median; line: 94% interval")
    keys = [Line2D([], [], color=color, marker="o", label=name.upper()) for name, _, color in SIDES]
    fig.legend(handles=keys, loc="outside lower center", ncols=2)
    return fig
