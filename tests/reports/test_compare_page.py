"""The page of a comparison: every finding is on it, and what could not be told has its reason."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from test_page import EVIL

from bundles import changed, make_bundle, make_folds, make_plan
from drawn_model import drawn_model
from mmm_demo.evidence.compare import Comparison, PairedMeasure, Regret, compare
from mmm_demo.plots.compare import roas_of_both
from mmm_demo.reports.compare_page import comparison_page
from mmm_demo.settings.experiment import ModelConfig
from pages import Page, assert_self_contained
from plot_data import legend_texts, rows, texts
from plot_data import no_global_changes as no_global_changes  # a fixture of every test here

HEADINGS = [
    "What differs",
    "Who forecasts better",
    "Return on ad spend",
    "What to do with the money",
]


@pytest.fixture(scope="module")
def found() -> Comparison:
    config: ModelConfig = replace(drawn_model().config, adstock_max_lag=6)
    table = drawn_model().table.tail(100).reset_index(drop=True)
    a, b = make_bundle(drawn_model()), make_bundle(changed(config, table))
    plans = (
        make_plan(a.fitted, TV=600_000.0, Radio=400_000.0),
        make_plan(b.fitted, TV=750_000.0, Radio=250_000.0),
    )
    folds = make_folds(52_123, 48_000, 49_000)
    return compare(a, b, (folds, folds.assign(crps=[53_000, 50_500, 50_000])), plans)


def test_page_is_self_contained_and_starts_with_what_to_know(found: Comparison) -> None:
    text = comparison_page(found, EVIL, "run 1a2b")
    assert_self_contained(text)
    page = Page(text)
    assert page.texts[0] == f"A ({EVIL}) and B (run 1a2b)"
    told = found.sentences()
    assert tuple(page.texts[2 : 2 + len(told)]) == told
    assert [words for words in page.texts if words in HEADINGS] == HEADINGS
    assert len(page.of("img")) == 1


def test_page_tells_every_number(found: Comparison) -> None:
    words = Page(comparison_page(found, "one", "two")).texts
    for part in ("model.adstock.max_lag", "data.sha256", "52,123", "2025-01-06", "60%", "750,000"):
        assert part in words
    assert any("85% of the budget goes to the same channels" in part for part in words)
    assert "ELPD: not assessable: fitted on different data." in words
    assert f"{found.regret_a.share:.1%}" in words


def test_page_of_the_least_there_can_be(found: Comparison) -> None:
    bare = replace(
        found,
        differences=found.differences[:0],
        folds=found.folds[:0],
        crps=PairedMeasure.unknown("the data of B lack Radio"),
        money=found.money[:0],
        plan_overlap=float("nan"),
        regret_a=Regret.unknown("no plans"),
        regret_b=Regret.unknown("no plans"),
        no_plans="no plan spends 1,000 in 8 weeks",
    )
    words = Page(comparison_page(bare, "one", "two")).texts
    assert "Configuration, data and priors are the same." in words
    assert "Mean CRPS: not assessable: the data of B lack Radio." in words
    assert "There are no plans to compare: no plan spends 1,000 in 8 weeks." in words
    assert "Money by channel" not in words and "CRPS by fold" not in " ".join(words)


def test_a_regret_without_a_number_has_its_reason(found: Comparison) -> None:
    one = replace(found, regret_b=Regret.unknown("one model has no Radio"))
    words = Page(comparison_page(one, "one", "two")).texts
    assert "B's plan where A's model is right: not assessable: one model has no Radio." in words
    assert words.count("n/a") >= 2


def test_figure_shows_both_and_leaves_out_what_is_not_there() -> None:
    table = pd.DataFrame(
        {
            "channel": ["TV", "Radio"],
            "median_a": [2.0, 0.5],
            "lower_94_a": [1.0, 0.2],
            "upper_94_a": [3.0, 0.9],
            "median_b": [2.5, np.nan],
            "lower_94_b": [2.0, np.nan],
            "upper_94_b": [4.0, np.nan],
            "overlap": [0.42, np.nan],
        }
    )
    fig = roas_of_both(table)
    fig.canvas.draw()
    (ax,) = fig.axes
    assert rows(ax) == ["TV", "Radio"]
    assert legend_texts(fig) == ["A", "B"]
    assert {"42%", "n/a"} <= set(texts(ax))
    points = [line.get_xdata()[0] for line in ax.lines if len(line.get_xdata()) == 1]
    np.testing.assert_array_equal(points, [2.0, 0.5, 2.5, np.nan])
    assert ax.get_xlim()[0] < 0 and 4 < ax.get_xlim()[1] < 5
