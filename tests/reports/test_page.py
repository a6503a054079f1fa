"""The page builder: valid, self-contained, and with nothing but text where text belongs."""

import base64
import re
import struct

import numpy as np
import pandas as pd
import pytest
from matplotlib.figure import Figure

from mmm_demo.plots.style import new_figure
from mmm_demo.reports.page import Section, cell_text, render_page
from pages import Page, assert_self_contained

EVIL = "<script>alert('x')</script> & \"quoted\" http://example.org/"


def make_figure(width: float = 3.0) -> Figure:
    fig = new_figure(width, 2, "Costs from $1M to $2M")
    fig.subplots().plot([1, 2])
    return fig


def test_page_has_every_part_in_order() -> None:
    table = pd.DataFrame({"channel": ["TV", "Radio"], "spend_share": [0.25, 0.75]})
    first = Section(
        "What was spent", ["Per week."], {"By channel": table}, {"A line": make_figure()}
    )
    text = render_page("A title", ["The verdict.", "And more."], [first, Section("Empty")])
    page = Page(text)
    assert text.startswith("<!DOCTYPE html>")
    words = ["A title", "A title", "The verdict.", "And more.", "What was spent", "Per week."]
    words += ["By channel", "channel", "spend share", "TV", "0.250", "Radio", "0.750", "Empty"]
    assert page.texts == words
    assert page.of("html") == [{"lang": "en"}]
    assert {"name": "viewport", "content": "width=device-width, initial-scale=1"} in page.of("meta")
    assert [image["alt"] for image in page.of("img")] == ["A line"]
    assert_self_contained(text)


def test_figures_are_png_inside_the_page_and_always_the_same() -> None:
    pages = [render_page("x", [], [Section("s", figures={"f": make_figure()})]) for _ in range(2)]
    assert pages[0] == pages[1]
    (image,) = Page(pages[0]).of("img")
    png = base64.b64decode(image["src"].removeprefix("data:image/png;base64,"), validate=True)
    assert png.startswith(b"\x89PNG")
    assert struct.unpack(">II", png[16:24]) == (330, 220)


def test_everything_given_is_escaped() -> None:
    table = pd.DataFrame({EVIL: [EVIL], "n": [1.0]})
    section = Section(EVIL, [EVIL], {EVIL: table}, {EVIL: make_figure()})
    text = render_page(EVIL, [EVIL], [section])
    page = Page(text)
    assert not page.of("script")
    # Title twice, lead, heading, paragraph, caption, header and cell.
    assert page.texts.count(EVIL) == 8
    assert page.of("img")[0]["alt"] == EVIL
    assert_self_contained(text)


def test_a_page_without_lead_or_sections_is_a_page() -> None:
    page = Page(render_page("Nothing yet", [], []))
    assert page.texts == ["Nothing yet", "Nothing yet"]
    assert not page.of("ul")


def test_numbers_stand_on_the_right() -> None:
    table = pd.DataFrame({"name": ["1st", "2nd"], "n": [1, np.nan], "share": ["5 %", "+7.5%"]})
    page = Page(render_page("x", [], [Section("s", tables={"t": table})]))
    assert [cell.get("class") for cell in page.of("td")] == [None, "number", "number"] * 2
    assert [cell.get("class") for cell in page.of("th")] == [None, "number", "number"]


def test_verdicts_are_marked_and_long_texts_keep_their_width() -> None:
    words = ["passed", "failed", "not assessable", "not measured", "passed?", "x" * 13, "x" * 29]
    page = Page(render_page("x", [], [Section("s", tables={"t": pd.DataFrame({"a": words})})]))
    expected = ["passed", "failed", "unknown", "unknown", None, "text", "long"]
    assert [cell.get("class") for cell in page.of("td")] == expected


def test_wide_tables_and_figures_scroll_by_themselves() -> None:
    section = Section("s", [], {"t": pd.DataFrame({"a": [1]})}, {"f": make_figure()})
    text = render_page("x", [], [section])
    assert [box.get("class") for box in Page(text).of("div")] == ["scroll figure", "scroll"]
    assert re.search(r"\.scroll \{ overflow-x: auto", text)
    assert "@media print" in text and "@media screen and (max-width" in text


def test_an_empty_table_keeps_its_header() -> None:
    table = pd.DataFrame({"week": pd.Series(dtype="datetime64[ns]"), "value": []})
    assert Page(render_page("x", [], [Section("s", tables={"t": table})])).texts[-2:] == [
        "week",
        "value",
    ]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (1234567.8, "1,234,568"),
        (-999.96, "-1e+03"),
        (42.0, "42.0"),
        (0.123456, "0.123"),
        (-0.0, "0"),
        (0.0, "0"),
        (1e-7, "1e-07"),
        (150.4, "150"),
        (12, "12"),
        (np.int64(12345), "12,345"),
        (True, "yes"),
        (np.bool_(False), "no"),
        (np.inf, "infinite"),
        (-np.inf, "-infinite"),
        (np.nan, "n/a"),
        (None, "n/a"),
        (pd.NaT, "n/a"),
        (pd.Timestamp("2024-01-01"), "2024-01-01"),
        ("text", "text"),
    ],
)
def test_cells_read_as_people_read(value: object, text: str) -> None:
    assert cell_text(value) == text
