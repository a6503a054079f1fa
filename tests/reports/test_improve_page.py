"""The page of remedies: what it says, and how a browser shows it."""

from pathlib import Path

import pytest

from browser import CHROMIUM, opened
from helpers import good_report
from mmm_demo.checks.gate import Check
from mmm_demo.evidence.improve import recommend
from mmm_demo.reports.improve_page import HEADER, improve_markdown, improve_page, improve_rows
from pages import Page, assert_self_contained
from tried import CURVE, DRIFT, LAG, roas, tried

FLAG = Check(
    "p_later_lags", "posterior_predictive", 1e-5, ">=", 0.01, "TV", "try <b>this</b> & that"
)
REPORT = good_report().with_checks([FLAG])
FITS = [
    tried(flags="p_later_lags prior_driven_share"),
    tried(LAG, ""),
    tried(DRIFT, "p_later_lags", level=49.0, seed=2, roas=roas(2.2, 2.9)),
    tried(CURVE, refused="its gate refused it: rhat_max 1.2 <= 1.01: FAILED"),
]
FOUND = recommend(FITS)
SENTENCES = ("Recommended: the longer lag.", "Only an experiment tells more.")
HTML = improve_page("Remedies of small, run 1a2b3c4d", REPORT, FITS, FOUND, SENTENCES)


def test_the_page_needs_nothing_from_elsewhere_and_is_well_formed():
    assert_self_contained(HTML)
    assert len(Page(HTML).of("img")) == 1


def test_it_says_what_was_found_first_and_every_flag_with_its_advice():
    texts = Page(HTML).texts
    assert "Remedies of small, run 1a2b3c4d" in texts
    assert [text for text in texts if text in SENTENCES] == list(SENTENCES)
    assert any("try <b>this</b> & that" in text for text in texts)  # as text, not as markup


def test_the_table_has_every_fit_with_flags_forecast_and_seconds():
    rows = {row[0]: row for row in improve_rows(FOUND)}
    assert rows["0"][1:4] == ("as it is", "2", "p_later_lags, prior_driven_share")
    assert rows["1*"][1:4] == ("model.adstock_max_lag: 13", "1", "prior_driven_share")
    assert rows["2"][4] == "the best"
    assert rows["1*"][4].startswith("1")
    assert rows["3"][2:5] == ("n/a", FITS[3].refused, "n/a")
    assert rows["0"][5] == "30"
    assert all(len(row) == len(HEADER) for row in rows.values())
    shown = " ".join(Page(HTML).texts)
    for words in ("p-value of later lags of spend", "share of spend in prior-driven channels"):
        assert words in shown


def test_roas_stand_side_by_side_for_every_usable_fit_and_no_other():
    texts = Page(HTML).texts
    assert "2.00 (1.50 to 2.50)" in texts
    assert "2.20 (1.70 to 2.70)" in texts
    assert texts.count("2.00 (1.50 to 2.50)") == 2


def test_a_disagreement_shows_the_spread():
    fits = [FITS[0], FITS[1], tried(DRIFT, "", roas=roas(tv=2.6))]
    found = recommend(fits)
    texts = Page(improve_page("Remedies", REPORT, fits, found, ["none"])).texts
    assert "Spread over the fits that clear most flags" in texts
    assert [texts[texts.index("1.50 to 3.10") + 1]] == ["no"]
    assert "*" not in "".join(row[0] for row in improve_rows(found))


def test_without_a_fit_the_page_has_the_flags_alone():
    html = improve_page("Remedies", good_report(), [], None, ["Nothing is flagged."])
    assert_self_contained(html)
    assert "Before and after" not in Page(html).texts


def test_the_runs_page_is_the_same_table():
    text = improve_markdown(FOUND, SENTENCES, Path("somewhere") / "better.yaml")
    assert "* Recommended: the longer lag." in text
    assert "Experiment file: `better.yaml`" in text
    assert text.count("\n| ") == len(FITS) + 1
    assert "|" not in improve_markdown(None, SENTENCES, None)


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed; .ci/run installs it")
@pytest.mark.parametrize("width", [1100, 390])
def test_a_browser_shows_it_whole(width, tmp_path):
    file = tmp_path / "page.html"
    file.write_text(HTML, encoding="utf-8")
    with opened(file.as_uri(), tmp_path / "profile") as page:
        page.call(
            "Emulation.setDeviceMetricsOverride",
            width=width, height=900, deviceScaleFactor=1, mobile=False,
        )  # fmt: skip
        shown = page.wait_for("Return on ad spend")
        wide = page.ask("document.documentElement.scrollWidth")
        drawn = page.ask("[...document.images].every(of => of.complete && of.naturalWidth > 300)")
        picture = page.call("Page.captureScreenshot", format="png")["data"]
    assert "model.adstock_max_lag: 13" in shown
    assert wide <= width
    assert drawn is True
    assert len(picture) > 20_000
