"""The page of an exploration: every finding is on it, in words, tables and pictures."""

import numpy as np
import pytest

from explored import MONTHLY, config, gamma, spread, weekly
from mmm_demo.reports import explore_page
from mmm_demo.reports.explore_page import exploration_page
from mmm_demo.reports.figures import exploration_figures
from mmm_demo.settings.experiment import ModelConfig
from mmm_demo.sources.explore import Exploration, explore
from pages import Page, assert_self_contained

HEADINGS = [
    "What was sold and spent",
    "How often spend was really set anew",
    "What can be told apart",
    "Spend of earlier weeks",
    "Sale days and other indicators",
    "Weeks that stand out",
]


@pytest.fixture(scope="module")
def found() -> Exploration:
    table = spread(MONTHLY)
    table.loc[14, "Sales"] = 2.9e8
    return explore(table, config(table, "SaleDays"), "data/<dt_mart>")


@pytest.fixture(scope="module")
def text(found: Exploration) -> str:
    return exploration_page(found, "DT Mart <look-alike>")


def test_page_is_self_contained_and_starts_with_the_verdict(found: Exploration, text: str) -> None:
    assert_self_contained(text)
    page = Page(text)
    assert page.texts[0] == "What this data can tell: DT Mart <look-alike>"
    assert tuple(page.texts[2 : 2 + len(found.verdict)]) == found.verdict
    assert [words for words in page.texts if words in HEADINGS] == HEADINGS
    assert len(page.of("li")) == len(found.verdict)


def test_page_shows_every_figure_once(found: Exploration, text: str) -> None:
    names = ["target", "spend", "spend_share", "correlations", "lagged_correlations", "vif"]
    assert list(exploration_figures(found)) == names
    images = Page(text).of("img")
    assert len(images) == len({image["src"] for image in images}) == len(names)
    assert all(image["alt"] for image in images)


def test_page_tells_levels_effects_and_outliers(text: str) -> None:
    words = Page(text).texts
    assert words.count("12") == 3  # levels of TV and SEM, amounts of TV
    assert any("12 effective media observations for 9 media parameters" in part for part in words)
    assert "2015-10-12" in words and "290,000,000" in words
    assert "With and without" in words
    assert (
        "Source: data/<dt_mart>. 51 weeks from 2015-07-06 to 2016-06-20; missing weeks: none."
        in (words)
    )


def test_page_of_the_least_there_can_be() -> None:
    table = weekly(**{"$TV_1 \u00fc$": 10 + np.random.default_rng(1).random(60)})
    table["Sales"] = 100 + np.sin(np.arange(60))
    model = ModelConfig(("$TV_1 \u00fc$",), yearly_seasonality=0, adstock_max_lag=1)
    words = Page(exploration_page(explore(table, model, "x"), "mine", ["Warning: odd."])).texts
    assert "Warning: odd." in words
    assert "The table has none that varies." in words
    assert "There are none." in words
    assert "$TV_1 \u00fc$" in words


def test_exact_collinearity_reads_infinite_and_long_lists_are_cut(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(explore_page, "PAIRS_SHOWN", 4)
    table = weekly(TV=gamma(seed=1), Radio=gamma(seed=2), Search=gamma(seed=3))
    table["Sum"] = table["TV"] + table["Radio"]
    words = Page(exploration_page(explore(table, config(table), "x"), "mine")).texts
    assert words.count("infinite") == 6  # VIF of three channels, without and with controls
    assert "Pairs, the closest first (4 of 6)" in words
    assert "TV and Radio against Sum" in words
