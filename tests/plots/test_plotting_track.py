"""The plot of a tracked plan: each week is drawn, and one outside of the promise is marked."""

import numpy as np
import pytest
from matplotlib.figure import Figure

from mmm_demo.planning.outcome import PlanOutcome
from mmm_demo.plots.outcome import promised_and_realised
from mmm_demo.plots.style import FAULT, INK
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here
from plot_data import texts
from track_data import CHANNELS, make_outcome


def draw(outcome: PlanOutcome) -> Figure:
    figure = promised_and_realised(outcome.table, outcome.by_channel, "A plan")
    figure.canvas.draw()
    return figure


def marks(figure: Figure, color: str, marker: str) -> list[float]:
    """Return the sales drawn with a marker."""
    (top, _) = figure.axes
    found = [
        line.get_ydata()
        for line in top.lines
        if line.get_color() == color and line.get_marker() == marker
    ]
    return [float(value) for values in found for value in values]


@pytest.mark.parametrize("weeks", [1, 2, 13])
def test_every_week_has_its_sales_and_four_intervals(weeks: int) -> None:
    figure = draw(make_outcome(weeks, planned=13))
    top, bottom = figure.axes
    assert marks(figure, INK, "D") == [100.0] * weeks
    lines = [collection.get_segments() for collection in top.collections]
    assert [len(segments) for segments in lines] == [weeks] * 4
    ends = np.array([[segment[:, 1] for segment in segments] for segments in lines])
    outcome = make_outcome(weeks, planned=13)
    table = outcome.table
    np.testing.assert_allclose(ends[0, :, 0], table["promised_lower_94"])
    np.testing.assert_allclose(ends[0, :, 1], table["promised_upper_94"])
    np.testing.assert_allclose(ends[3, :, 1], table["expected_upper_50"])
    low, high = top.get_ylim()
    assert low < ends.min() and ends.max() < high
    assert [label.get_text() for label in bottom.get_yticklabels()] == CHANNELS


def test_a_week_outside_is_marked_by_shape_and_colour() -> None:
    figure = draw(make_outcome(outside=(2, 4)))
    assert marks(figure, FAULT, "X") == [200.0, 200.0]
    assert marks(figure, INK, "D") == [100.0] * 4
    assert "4 of 6 weeks inside" in figure.axes[0].get_title("left")
    assert "Outside of the promised 94%" in key_texts(figure)
    inside = draw(make_outcome())
    assert not marks(inside, FAULT, "X")
    assert "Outside of the promised 94%" not in key_texts(inside)


def key_texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.axes[0].get_legend().get_texts()]


def test_spend_is_drawn_beside_the_plan_with_its_change() -> None:
    figure = draw(make_outcome(spent=(1.0, 0.5, np.nan)))
    bars = [patch.get_width() for patch in figure.axes[1].patches]
    assert bars[:5] == pytest.approx([60, 60, 60, 60, 30])
    assert np.isnan(bars[5])
    shown = [text.get_text() for text in figure.axes[1].texts]
    assert shown[:3] == ["+0%", "-50%", "n/a"]


def test_no_spend_at_all_is_drawn() -> None:
    outcome = make_outcome(spent=(0.0, 0.0, 0.0))
    outcome.spend["planned"] = 0.0
    assert draw(outcome).axes[1].get_xlim() == (0, pytest.approx(1.04))


def test_title_is_on_the_figure() -> None:
    assert "A plan" in texts(draw(make_outcome()))
